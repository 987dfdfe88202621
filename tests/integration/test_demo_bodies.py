"""A folder of bodies is read whole, or refused with the file, the place and the reason."""

from pathlib import Path

import pytest

from imbi_worker.demo.bodies import BodiesError, read_bodies


def test_the_event_type_is_the_name_up_to_the_first_dot(tmp_path: Path) -> None:
    """Files by name; what is no body is left alone."""
    for name in ("push.10.json", "issues.json", ".hidden.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder.json").mkdir()
    assert [(one.name, one.event_type) for one in read_bodies(tmp_path)] == [
        ("issues.json", "issues"),
        ("push.10.json", "push"),
    ]


def test_equal_bodies_are_two_deliveries(tmp_path: Path) -> None:
    """Else the second one would be dropped as a duplicate."""
    for name in ("push.1.json", "push.2.json"):
        (tmp_path / name).write_text('{"repository": {"full_name": "tidewater/harbor-api"}}')
    first, second = read_bodies(tmp_path)
    assert first.delivery != second.delivery
    assert first.external_identifier == second.external_identifier == "tidewater/harbor-api"
    assert first.event["metadata"]["headers"]["x-github-delivery"] == first.delivery


@pytest.mark.parametrize(
    "content", ["{}", '{"repository": "x"}', '{"repository": {"full_name": 1}}']
)
def test_a_body_without_a_repository_has_no_external_identifier(
    tmp_path: Path, content: str
) -> None:
    """Many webhooks of an organization name none."""
    (tmp_path / "ping.json").write_text(content)
    assert read_bodies(tmp_path)[0].external_identifier == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a":\n nope}', "is no JSON: Expecting value at line 2, column 2"),
        (b"[1]", "is a JSON list"),
        (b'{"a": "\xff"}', "is no JSON: it is no UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is no JSON: it nests too deep"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "nests deeper than 128 levels"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "holds an integer of thousands of digits"),
    ],
    ids=["broken", "list", "bytes", "far too deep", "too deep", "NaN", "digits"],
)
def test_a_file_that_is_no_body_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    """One bad file refuses the folder: nothing is lost silently."""
    (tmp_path / "issues.json").write_text("{}")
    (tmp_path / "push.json").write_bytes(content)
    with pytest.raises(BodiesError) as caught:
        read_bodies(tmp_path)
    assert told in str(caught.value)
    assert str(tmp_path / "push.json") in str(caught.value)


def test_a_folder_without_bodies_is_refused(tmp_path: Path) -> None:
    """An empty run would look like a success."""
    with pytest.raises(BodiesError, match=r"no \*\.json in it"):
        read_bodies(tmp_path)
    with pytest.raises(BodiesError, match="name a folder"):
        read_bodies(tmp_path / "missing")
