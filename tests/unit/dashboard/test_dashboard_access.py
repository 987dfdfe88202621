"""Who may ask, and where the dashboard may listen."""

import pytest
from asgi import basic

from imbi_worker.dashboard.access import (
    Access,
    InvalidToken,
    KeptToken,
    Role,
    kept_tokens,
    make_token,
)
from imbi_worker.dashboard.address import (
    PublicWithoutTokens,
    check_address,
    is_known_name,
    is_loopback,
)


def test_what_is_kept_of_a_token_does_not_tell_it() -> None:
    """Name, role and a hash; two tokens of one name differ."""
    token, kept = make_token("alice", Role.OPERATOR)
    assert token not in str(kept)
    assert token not in repr(kept)
    assert str(kept).startswith("alice:operator:")
    assert KeptToken.parse(str(kept)) == kept
    assert make_token("alice", Role.OPERATOR)[0] != token


def test_a_bearer_is_known_by_the_token() -> None:
    """Whatever else stands in the header is a stranger."""
    token, kept = make_token("alice", Role.ADMIN)
    other, _ = make_token("mallory", Role.ADMIN)
    access = Access([make_token("bob", Role.VIEWER)[1], kept])
    person = access.person(f"Bearer {token}")
    assert person is not None
    assert (person.name, person.role, person.actor) == ("alice", Role.ADMIN, "alice@dashboard")
    for header in (
        None,
        "",
        token,
        f"Bearer {other}",
        "Bearer ",
        f"Digest {token}",
        f"Bearer {kept}",
    ):
        assert access.person(header) is None


def test_a_browsers_login_opens_pages_only() -> None:
    """It is sent along with requests of foreign pages, so nothing may change by it."""
    token, kept = make_token("alice", Role.ADMIN)
    access = Access([kept])
    assert access.person(basic(token)) is None
    assert access.person(basic(token), from_browser=True) == kept.person
    assert access.person("Basic %%%", from_browser=True) is None
    assert access.person(basic("nothing"), from_browser=True) is None


def test_without_tokens_everybody_may_look_and_nobody_change() -> None:
    """Whoever reaches the address sits at this machine."""
    person = Access().person(None)
    assert person is not None
    assert person.role is Role.VIEWER


def test_each_role_includes_the_ones_before_it() -> None:
    """And none after it."""
    assert [[a.includes(b) for b in Role] for a in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("text", ["alice", "alice:root:" + "0" * 64, "a:viewer:xyz", ":viewer:00"])
def test_a_kept_token_that_cannot_be_read_is_named_by_its_place(text: str) -> None:
    """Never by what it holds: somebody may have set the token itself."""
    good = str(make_token("bob", Role.VIEWER)[1])
    with pytest.raises(InvalidToken, match="number 2: write name:role:hash") as caught:
        kept_tokens(f"{good}, {text}")
    assert text not in str(caught.value)


def test_one_name_is_one_person() -> None:
    """The audit tells people by their names."""
    kept = [make_token("alice", Role.VIEWER)[1] for _ in range(2)]
    with pytest.raises(InvalidToken, match="alice is given twice"):
        Access(kept)
    with pytest.raises(InvalidToken):
        make_token("a:b", Role.VIEWER)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    """Every form of loopback is one."""
    assert is_loopback(host)
    check_address(host, has_tokens=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org", "localhost.evil"])  # noqa: S104 - what is refused
def test_a_public_address_needs_a_token(host: str) -> None:
    """It says what to do."""
    with pytest.raises(PublicWithoutTokens, match="tokens new"):
        check_address(host, has_tokens=False)
    check_address(host, has_tokens=True)


@pytest.mark.parametrize(
    ("header", "is_known"),
    [
        ("127.0.0.1:8600", True),
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("[::1]:8600", True),
        ("[::1]", True),
        ("evil.example:8600", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_a_name_of_somebody_else_is_not_served(header: str | None, is_known: bool) -> None:  # noqa: FBT001 - a table
    """A page may let its own name point to this machine."""
    assert is_known_name(header) is is_known
