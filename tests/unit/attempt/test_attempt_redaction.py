"""The redactor: no secret in any text, in whatever dress."""

import base64
import json
import string
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbi_sdk.attempt import Redactor
from imbi_sdk.attempt.redaction import MASK

# A value that stands in the mask itself would be "found" in every masked text.
SECRETS = st.text(min_size=6, max_size=60).filter(
    lambda value: "*" not in value and len(value.strip()) >= 6
)
AROUND = st.text(alphabet=string.ascii_letters + " .,/", max_size=40)


@given(value=SECRETS, before=AROUND, after=AROUND)
def test_a_value_in_use_shows_in_no_dress(value: str, before: str, after: str) -> None:
    """Plain, in a URL, in JSON, in a Python literal."""
    redactor = Redactor()
    with redactor.using([value]):
        raw = value.encode(errors="surrogatepass")
        dresses = [
            value,
            quote(raw),
            quote(raw, safe=""),
            quote_plus(raw),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            repr(value)[1:-1],
            repr(raw)[2:-1],
            json.dumps(json.dumps(value))[3:-3],
            json.dumps(repr(value))[2:-2],
            repr(json.dumps(value))[2:-2],
            raw.hex(),
        ]
        for dressed in dresses:
            assert dressed not in redactor.text(before + dressed + after)


@given(
    value=st.text(alphabet=string.ascii_letters + string.digits + "+/ü", min_size=8, max_size=60),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
)
def test_a_value_within_base64_is_masked(value: str, before: bytes, after: bytes) -> None:
    """As in a Basic header, where other bytes stand before and behind it."""
    redactor = Redactor()
    with redactor.using([value]):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shown = redactor.text("x: " + encode(before + value.encode() + after).decode())
            assert MASK in shown
            # At most the characters that it shares with its neighbours are left of it.
            assert len(shown) <= len("x: ") + len(MASK) + 4 * (len(before) + len(after) + 6) // 3


TOKENS = [
    "ghp_" + "aB3" * 12,
    "gho_" + "aB3" * 12,
    "ghs_" + "aB3" * 12,
    "github_pat_" + "aB3_" * 12,
    "glpat-" + "aB3" * 7,
    "squ_" + "0a9f" * 10,
    "xoxb-123456789012-abcdefghijkl",
    "xoxp-123456789012-abcdefghijkl",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "gAAAAABlZ" + "Zm9vYmFy" * 8 + "==",
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:8])
@pytest.mark.parametrize("shape", ["{}", "failed with {}.", "x={}&y=1", '{{"a": "{}"}}', "({})"])
def test_a_token_is_known_by_its_shape(token: str, shape: str) -> None:
    """Whether or not it is one of ours."""
    shown = Redactor().text(shape.format(token))
    assert token not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: ***"),
        ("authorization: token abcdef", "authorization: ***"),
        ("sent Bearer abcdefgh to x", "sent Bearer *** to x"),
        ("sent Basic dXNlcjpwdw== to x", "sent Basic *** to x"),
        ("GET https://me:pw@host/a?x=1", "GET https://***@host/a?x=1"),
        ("GET https://tok@host/a", "GET https://***@host/a"),
        ("GET https://host/a@b", "GET https://host/a@b"),
        ("GET /a?token=abc&page=2", "GET /a?token=***&page=2"),
        ("GET /a?access_token=abc&page=2", "GET /a?access_token=***&page=2"),
        ("api_key=abc, rest", "api_key=***, rest"),
        ("apiKey: abc", "apiKey: ***"),
        ("password='two words' rest", "password=*** rest"),
        ('{"client_secret": "a b", "x": 1}', '{"client_secret": ***, "x": 1}'),
        (r"{\"secret\": \"a b\", \"x\": 1}", r"{\"secret\": ***, \"x\": 1}"),
        ("{'token': b'abc'}", "{'token': ***}"),
        ("token 0123456789abcdef0123", "token ***"),
        ("commit 0123456789abcdef0123", "commit 0123456789abcdef0123"),
        ("the token has expired", "the token has expired"),
        ("no secret here", "no secret here"),
    ],
)
def test_what_follows_a_telling_word_is_masked(text: str, shown: str) -> None:
    """And only that; passing the redactor once more, as in a log, changes nothing."""
    assert Redactor().text(text) == shown
    assert Redactor().text(shown) == shown


@pytest.mark.parametrize("end", ["\n-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_masked_whole(end: str) -> None:
    """Even if its end was cut off."""
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "c2VjcmV0\n" * 20 + end
    assert Redactor().text(f"cannot load {key}") == "cannot load ***"


def test_the_lines_of_a_long_value_are_known_too() -> None:
    """An error may quote one line of a key."""
    key = "first-line-of-the-key\nsecond-line-of-the-key\n"
    redactor = Redactor()
    with redactor.using([key]):
        assert redactor.text("at second-line-of-the-key!") == "at ***!"


def test_a_value_stays_known_while_anyone_uses_it_and_for_a_while(canary: str) -> None:
    """Attempts of one integration share it; what one has left running may still say it."""
    redactor = Redactor()
    with redactor.using([canary]):
        with redactor.using([canary]):
            pass
        others = [f"another value {number}" for number in range(100)]
        with redactor.using(others):
            pass
        assert redactor.text(canary) == MASK
    assert redactor.text(canary) == MASK


def test_values_that_nobody_uses_are_forgotten_in_the_end(canary: str) -> None:
    """Each delivery may bring new ones: the memory of them is bounded."""
    redactor = Redactor()
    with redactor.using([canary]):
        pass
    for number in range(1_000):
        with redactor.using([f"another value {number}"]):
            assert redactor.text(f"another value {number}") == MASK
    assert redactor.text(canary) == canary
    assert len(redactor._dresses) < 100
    assert not redactor._uses


WRAPS = {
    "lines": lambda text: "\n".join(text[at : at + 7] for at in range(0, len(text), 7)),
    "indented": lambda text: "\n    ".join(text[at : at + 7] for at in range(0, len(text), 7)),
    "a repr of lines": lambda text: repr("\n".join(text[at : at + 7] for at in range(0, 60, 7))),
    "Windows": lambda text: "\r\n".join(text[at : at + 7] for at in range(0, len(text), 7)),
    "base64": lambda text: base64.encodebytes(f"me:{text}; {text}; {text}".encode()).decode(),
}


@pytest.mark.parametrize("way", WRAPS)
def test_a_value_that_is_wrapped_is_known_all_the_same(way: str, canary: str) -> None:
    """And the text around it keeps its lines."""
    redactor = Redactor()
    with redactor.using([canary]):
        shown = redactor.text(f"first line\n{WRAPS[way](canary)}\nlast line")
    assert shown.startswith("first line\n")
    assert shown.endswith("\nlast line")
    assert MASK in shown
    together = "".join(shown.split()).replace("\\n", "")
    for piece in (canary, base64.b64encode(canary.encode()).decode()[4:-4]):
        assert piece not in together


@pytest.mark.parametrize("piece", ["\n", " ", "\\n", "\r\n", "\n  ", "a\n", "=\n"])
def test_no_text_takes_long(piece: str, canary: str) -> None:
    """A hostile answer in an error must not hold the loop: the time grows with the length only."""
    redactor = Redactor()
    with redactor.using([canary]):
        began = time.process_time()
        redactor.trace(piece * 65_536)
        assert time.process_time() - began < 1


def test_short_values_are_words() -> None:
    """Masking "main" or "1" everywhere would make every text useless."""
    redactor = Redactor()
    with redactor.using(["", "1", "main", "12345"]):
        assert redactor.text("main has 12345 and 1") == "main has 12345 and 1"


def test_the_longer_of_two_values_goes_first() -> None:
    """Else its tail would show."""
    redactor = Redactor()
    with redactor.using(["abcdef", "abcdef-ghijkl"]):
        assert redactor.text("abcdef-ghijkl abcdef") == "*** ***"


@pytest.mark.parametrize("length", [1_990, 2_000, 2_001, 15_990, 16_000, 16_010, 100_000])
def test_no_cut_lays_a_secret_bare(length: int, canary: str) -> None:
    """Wherever a text is cut, a secret that the cut goes through is gone whole."""
    redactor = Redactor()
    with redactor.using([canary]):
        for shift in range(0, len(canary) + 2, 3):
            tail = "x" * (length - shift) + canary + "y" * 50
            head = "y" * 50 + canary + "x" * (length - shift)
            for shown in (redactor.text(tail), redactor.trace(head, limit=2_000)):
                assert len(shown) <= 2_000
                assert canary[:4] not in shown
                assert canary[-4:] not in shown


def test_a_cut_text_of_many_secrets_shows_none() -> None:
    """Masking makes a text shorter, and what lay beyond the cut comes into view."""
    value = "s3cr3t-" * 40
    redactor = Redactor()
    with redactor.using([value]):
        text = (value + " ") * 1_000
        assert "s3cr3t" not in redactor.text(text)
        assert "s3cr3t" not in redactor.trace(text)


def test_an_error_keeps_its_beginning_and_a_trace_its_end() -> None:
    """Each the part that says most."""
    redactor = Redactor()
    assert redactor.text("a" * 3_000 + "z") == "a" * 1_997 + "..."
    assert redactor.trace("a" + "z" * 9_000) == "..." + "z" * 8_189
    assert redactor.text("short") == "short"
    assert redactor.trace("short") == "short"


def test_what_no_store_can_hold_is_replaced() -> None:
    """A lone surrogate is no UTF-8; a secret that has one is masked before."""
    redactor = Redactor()
    with redactor.using(["half \ud83d a pair"]):
        assert redactor.text("at \ud83d! half \ud83d a pair") == f"at \ufffd! {MASK}"
        assert redactor.trace("at \ud83d!") == "at \ufffd!"


def test_our_own_phrase_for_missing_credentials_is_no_secret() -> None:
    """The operator reads which fields are missing; what is named a credential is masked."""
    text = "missing credentials: Missing required credentials for plugin 'demo': ['api_token']"
    assert Redactor().text(text) == text
    assert Redactor().text("the credentials: hunter2") == f"the credentials: {MASK}"
