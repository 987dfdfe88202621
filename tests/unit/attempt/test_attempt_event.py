"""Events: strict JSON, bounded depth, an object of its own for each attempt."""

import json

import pytest

from imbi_sdk.attempt import InvalidEvent, parse_event


async def test_each_parsing_gives_an_object_of_its_own() -> None:
    """What an action does to its event reaches no other attempt."""
    data = b'{"payload": {"a": [1]}}'
    first = await parse_event(data)
    first["payload"]["a"].append(2)
    assert await parse_event(data) == {"payload": {"a": [1]}}


async def test_a_large_event_is_read_too() -> None:
    """Above 1 MiB in a thread, with the same result."""
    event = {"payload": {"text": "x" * 1_500_000}}
    assert await parse_event(json.dumps(event).encode()) == event


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON: line 1 column 0"),
        (b'{"a": ', "no JSON: line 1 column 6"),
        (b'{"a": NaN}', "no JSON: line 1 column 7"),
        (b'{"a": -Infinity}', "no JSON"),
        (b'{"a": "\\ud800", "b": NaN}', "no JSON"),
        (b'{"a": "\xff"}', "no JSON"),
        (b'{"a": "\xed\xa0\x80"}', "no JSON"),
        (b"[]", "a JSON list, not an object"),
        (b"null", "a JSON NoneType, not an object"),
        (b'"text"', "a JSON str, not an object"),
        (b"[" * 10_000 + b"]" * 10_000, "deeper than 200 levels"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "deeper than 200 levels"),
        (b'["\\ud800",' + b"[" * 10_000 + b"]" * 10_000 + b"]", "deeper than 200 levels"),
        (b'{"s":"\\ud800","a":' + b"[" * 300 + b"]" * 300 + b"}", "deeper than 200 levels"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "no JSON"),
    ],
)
async def test_a_malformed_event_is_refused(data: bytes, message: str) -> None:
    """With a reason that quotes nothing of it, and without hurting the process."""
    with pytest.raises(InvalidEvent, match=message):
        await parse_event(data)


async def test_lone_surrogates_are_replaced_as_in_the_gateway() -> None:
    """In keys too; a pair of surrogates is one character and stays."""
    data = b'{"a\\udfff": ["\\ud800x", "\\ud83d\\ude00"]}'
    assert await parse_event(data) == {"a\ufffd": ["\ufffdx", "\U0001f600"]}


async def test_no_message_quotes_the_event(canary: str) -> None:
    """An event may hold anything its sender likes."""
    for data in (f'{{"a": "{canary}', f'{{"{canary}": NaN, "b": "\\ud800"}}', f'"{canary}"'):
        with pytest.raises(InvalidEvent) as refused:
            await parse_event(data.encode())
        assert canary not in str(refused.value)
