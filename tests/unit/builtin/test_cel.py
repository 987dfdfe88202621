"""Expressions: what they give, and how each of those that never should have run ends."""

import asyncio
import time
from typing import Any

import celpy
import pytest
from celpy.celtypes import BoolType

from imbi_sdk.errors import ConfigurationError, PermanentError
from imbi_worker.builtin.cel import evaluate
from imbi_worker.builtin.cel.expression import Programs
from imbi_worker.builtin.cel.program import CelError, Program

CANARY = "canary-4f1d-do-not-leak"
EVENT: dict[str, Any] = {
    "type": "deployment_status",
    "third_party_service": "github",
    "attributed_to": "",
    "metadata": {"webhook_id": "w", "headers": {"x-github-event": "deployment_status"}},
    "payload": {
        "secret": CANARY,
        "ref_name": "main",
        "number": 7,
        "ratio": 1.5,
        "is_draft": True,
        "nothing": None,
        "deployment": {"ref": "v1.2.3", "sha": "abcdef1234567890", "payload": {}},
        "commits": [{"id": "c1", "files": ["a", "b"]}, {"id": "c2", "files": ["b"]}],
        "labels": ["one", "two", "three"],
        "sizes": [3, 1, 2],
    },
}


async def ask(source: str, event: dict[str, Any] = EVENT) -> str | None:
    return await evaluate(source, event, field="version_expression")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("payload.deployment.ref", "v1.2.3"),
        ("substring(payload.deployment.sha, 0, 7)", "abcdef1"),
        ("substring(payload.deployment.sha, 10)", "567890"),
        ('payload.ref_name == "main" ? substring(payload.deployment.sha, 0, 7) : "x"', "abcdef1"),
        ('metadata.headers["x-github-event"]', "deployment_status"),
        ('has(payload.release) ? payload.release.tag_name : "none"', "none"),
        ("payload.commits[1].id", "c2"),
        ('payload.commits.filter(c, "a" in c.files)[0].id', "c1"),
        ("payload.number", "7"),
        ("payload.ratio", "1.5"),
        ("payload.nothing", None),
        ("null", None),
        ('type + "-" + payload.ref_name', "deployment_status-main"),
    ],
)
async def test_an_expression_gives_a_text_a_number_or_null(source: str, text: str | None) -> None:
    """What Imbi's gateway makes of the same rule and event."""
    assert await ask(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "payload.labels.map(l, l + '!')",
        "payload.labels.all(l, size(l) > 2)",
        "payload.labels.exists(l, l == 'two')",
        "payload.labels.exists_one(l, l.startsWith('t'))",
        "payload.sizes.min()",
        "payload.sizes.reduce(r, i, 0, r + 2 * i)",
        "payload.commits.map(c, c.files.map(f, c.id + f))",
        "payload.deployment.map(key, key)",
        "payload.labels == ['one', 'two', 'three']",
        "payload.labels != ['one']",
        "payload.deployment.payload == {}",
        "payload.commits[0] == {'id': 'c1', 'files': ['a', 'b']}",
        "payload.commits[0] == payload.commits[1]",
        "payload.labels + ['four']",
        "['zero'] + payload.labels",
        "'two' in payload.labels",
        "'ref' in payload.deployment",
        "payload.labels.contains('two')",
        "payload.deployment.contains('sha')",
        "payload.deployment.sha.contains('def')",
        "payload.deployment.sha.endsWith('90')",
        "payload.deployment.ref.matches('^v[0-9.]+$')",
        "size(payload.labels) + size(payload.deployment) + size(payload.ref_name)",
        "payload.number * 6 % 5 - 1",
        "payload.ratio * 2.0 > 2.5 && !payload.is_draft || payload.number >= 7",
        "payload.number / 2",
        "-payload.number",
        "string(payload.number) + string(payload.is_draft)",
        "int('5') + payload.number",
        "double(payload.number)",
        "bytes('abc')",
        "duration('1h30m') == duration('5400s')",
        "timestamp('2026-11-22T10:00:00Z').getFullYear()",
        "type(payload.labels) == list",
        "type(payload.number) == int",
        "{'a': payload.number}.a",
        "[1, 2, 3][payload.sizes[1]]",
        "false && payload.gone",
        "true || payload.gone",
        "[payload.ref_name, 'x'].filter(x, x != 'x')",
        "has(payload.deployment.sha) && !has(payload.deployment.tag)",
        "((((1 + 2)))) == 3",
    ],
)
def test_an_expression_means_what_it_means_to_cel_python(source: str) -> None:
    """Lazy values, a shorter tree and counted steps change no result."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(source))
    theirs = program.evaluate(celpy.json_to_cel(EVENT))  # type: ignore[arg-type]  # a map is a context
    ours = Program(source).evaluate(EVENT)
    assert ours == theirs
    assert BoolType(ours == theirs)
    assert isinstance(ours, type(theirs))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("payload.", "at line 1, column 8"),
        ("", "at line 1, column 1"),
        ("payload.deployment.sha)", "at line 1, column 23"),
        ('"open', "at line 1, column 1"),
        ("a\n  ? b", "at line 2, column 5"),
        ("payload ;", "at line 1, column 9"),
    ],
)
async def test_what_is_no_cel_is_refused_with_its_place(source: str, place: str) -> None:
    """The operator finds it; the job is dead at once, as correcting the rule is the remedy."""
    with pytest.raises(ConfigurationError, match="the rule's version_expression cannot") as raised:
        await ask(source)
    assert place in str(raised.value)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("payload.release.tag_name", "there is no field 'release' (line 1, column 1)"),
        ("payload.nothing.more", "a type that does not fit"),
        ("gone", "something it names is not there"),
        ("gone(payload)", "something it names is not there"),
        ("payload.labels[9]", "an index is beyond the end"),
        ('payload["gone"]', "something it names is not there"),
        ("payload.secret + 1", "a type that does not fit"),
        ("payload.secret.field", "a type that does not fit"),
        ("1 / 0", "divides by zero"),
        ("payload.number + 9223372036854775807", "out of range"),
        ("int(payload.secret)", "out of range or malformed"),
        ('payload.secret.matches("(")', "out of range or malformed"),
        ("substring(payload, 0, 7)", "a type that does not fit"),
        ("substring(payload.secret)", "a type that does not fit"),
        ('payload.ref_name == "x" ? "y" : ""', "an empty text"),
        ("payload.deployment", "a map where a text or a number is needed"),
        ("payload.labels", "a list where a text or a number is needed"),
        ("payload.is_draft", "a bool where a text or a number is needed"),
        ("string(payload.deployment)", "a type that does not fit"),
    ],
)
async def test_what_fails_on_an_event_says_why_and_quotes_nothing_of_it(
    source: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in its text nor in its chain, and nothing is written past the logs."""
    with pytest.raises(PermanentError, match="fails on this event") as raised:
        await ask(source)
    assert why in str(raised.value)
    assert CANARY not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert CANARY not in str(raised.value.__context__)
    assert "".join(capfd.readouterr()) == ""


HUNDRED = ", ".join(str(number) for number in range(100))
LONG = {"payload": {"long": "x" * 3_000_000, "wide": list(range(50_000)), "letters": "a" * 5000}}


@pytest.mark.parametrize(
    "source",
    [
        f"[{HUNDRED}].map(a, [{HUNDRED}].map(b, [{HUNDRED}].map(c, a + b + c)))[0][0][0]",
        "payload.wide.map(a, payload.wide.filter(b, a == b))[0][0]",
        "payload.wide.exists(a, a in payload.wide && false)",
        "payload.long + payload.long + payload.long",
        "payload.wide.reduce(text, i, payload.long, text + 'x')",
        "payload.wide.map(i, substring(payload.long, 1))[0]",
        "payload.wide.map(i, string(payload.long))[0]",
    ],
)
async def test_what_would_not_end_or_fill_the_memory_ends(source: str) -> None:
    """Within its time, while the event loop goes on."""
    worst, stop = 0.0, asyncio.Event()

    async def look() -> None:
        nonlocal worst
        while not stop.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began)

    looking = asyncio.create_task(look())
    began = time.thread_time()
    with pytest.raises(ConfigurationError, match="too costly"):
        await ask(source, LONG)
    stop.set()
    await looking
    assert time.thread_time() - began < 0.4
    assert worst < 0.4


UNFIT = "a value is of a type that does not fit"
MALFORMED = "a value is out of range or malformed"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('"%1000000000d" % 1', UNFIT),
        ('"x" * 1000000000', UNFIT),
        ("[1] * 1000000000", UNFIT),
        ("1000000000 * [1]", UNFIT),
        ('"x" * 2', UNFIT),
        ('b"%d" % 2', UNFIT),
        ('payload.letters.matches("' + "(a*)*" * 300 + '")', MALFORMED),
        ('payload.letters.matches("' + "a" * 1025 + '")', MALFORMED),
        ("timestamp(payload.letters)", MALFORMED),
        ("duration(payload.letters)", MALFORMED),
        ('duration("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")', MALFORMED),
        (f'string(duration("{"0" * 100}s"))', MALFORMED),
        ("int(payload.letters)", MALFORMED),
    ],
)
async def test_what_python_would_multiply_or_try_for_ever_is_refused(source: str, why: str) -> None:
    """cel-python hands such operands to Python's operators and patterns."""
    began = time.process_time()
    with pytest.raises(PermanentError, match=why):
        await ask(source, LONG)
    assert time.process_time() - began < 0.4


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('payload.letters.matches("' + "a" * 1024 + '") ? "yes" : "no"', "no"),
        (f'string(duration("{"0" * 98}1s"))', "1s"),
        ("string(size(payload.labels + payload.labels))", "4"),
        ('string(bytes(payload.letters)) == payload.letters ? "yes" : "no"', "yes"),
        ('7 in payload.wide ? "yes" : "no"', "yes"),
        ('-1 in payload.wide ? "yes" : "no"', "no"),
    ],
)
async def test_what_stays_within_its_bounds_is_evaluated(source: str, text: str) -> None:
    """To the character."""
    assert (
        await ask(source, {"payload": {**LONG["payload"], "letters": "ab" * 100, "labels": [1, 2]}})
        == text
    )


@pytest.mark.parametrize(
    "source",
    [
        "string(size(bytes(payload.long) + bytes(payload.long)))",
        "string(size(string(bytes(payload.long)) + string(bytes(payload.long))))",
        "string(size(payload.objects.a) + size(payload.objects.b))",
        "string(size(payload.arrays.a) + size(payload.arrays.b))",
    ],
)
async def test_all_that_an_expression_makes_is_counted_together(source: str) -> None:
    """Bytes, texts made of them, and what is looked into of large objects and arrays."""
    members, elements = dict.fromkeys(range(4_500_000)), [0] * 4_500_000
    large = {
        "long": "x" * 3_000_000,
        "objects": {"a": members, "b": members},
        "arrays": {"a": elements, "b": elements},
    }
    with pytest.raises(ConfigurationError, match="too costly: it makes more than 8388608"):
        await ask(source, {"payload": large})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("1" * 5000, "longer than 4096 characters"),
        (f'"{"x" * 4095}"', "longer than 4096 characters"),
        ("(" * 200 + "1" + ")" * 200, "deeper than 120 levels"),
        ("[" * 2000 + "]" * 2000, "deeper than 120 levels"),
        ("+".join(["1"] * 500), "deeper than 120 levels"),
        ("+".join(["1"] * 61), "deeper than 120 levels"),
        ("!" * 4000 + "true", "deeper than 120 levels"),
    ],
)
async def test_a_source_has_a_longest_and_a_deepest(source: str, why: str) -> None:
    """Neither a stack nor a memory is at the mercy of a rule."""
    with pytest.raises(ConfigurationError, match=why):
        await ask(source)


async def test_the_deepest_that_is_allowed_can_be_evaluated() -> None:
    """The bound stands where Python's stack still bears it, also from deep within."""
    terms = " || ".join(f'payload.ref_name == "r{number}"' for number in range(100))
    assert await ask(f'{terms} ? "yes" : "no"') == "no"
    assert await ask("+".join(["1"] * 60)) == "60"
    assert await ask(f'"{"x" * 4094}"') == "x" * 4094
    nested = "(" * 25 + '"deep"' + ")" * 25
    assert await ask(nested) == "deep"


async def test_a_result_has_a_longest_text() -> None:
    """No tag is longer."""
    with pytest.raises(PermanentError, match="more than 4096 characters"):
        await ask("payload.long", LONG)
    assert await ask("payload.text", {"payload": {"text": "x" * 4096}}) == "x" * 4096
    with pytest.raises(PermanentError, match="more than 4096 characters"):
        await ask("payload.text", {"payload": {"text": "x" * 4097}})


async def test_only_what_an_expression_reads_of_a_large_event_costs() -> None:
    """An SBoM of many MB beside the field that the rule wants."""
    components = [{"name": f"c{n}", "version": "1"} for n in range(200_000)]
    event = {"payload": {"sbom": {"components": components}, "sha": "abc"}}
    began = time.thread_time()
    assert await ask("payload.sha", event) == "abc"
    assert time.thread_time() - began < 0.1


async def test_an_expression_is_compiled_once() -> None:
    """And forgotten when others have taken its room: memory is bounded."""
    programs = Programs(characters=40)
    first = await programs.find("payload.a")
    assert await programs.find("payload.a") is first
    for number in range(20):
        await programs.find(f"payload.a{number}")
    assert len(programs) <= 4
    assert await programs.find("payload.a") is not first


async def test_what_was_used_last_is_kept() -> None:
    """There is room for two of nine characters each, and not for a third."""
    programs = Programs(characters=18)
    first, second = await programs.find("payload.a"), await programs.find("payload.b")
    assert await programs.find("payload.a") is first
    third = await programs.find("payload.c")
    assert len(programs) == 2
    assert await programs.find("payload.a") is first
    assert await programs.find("payload.c") is third
    assert await programs.find("payload.b") is not second


async def test_an_expression_that_does_not_compile_is_not_kept() -> None:
    """Nobody needs it again."""
    programs = Programs()
    for _ in range(2):
        with pytest.raises(CelError):
            await programs.find("payload.")
    assert len(programs) == 0


async def test_evaluations_at_once_do_not_disturb_one_another() -> None:
    """One program serves every job of its rule."""
    source = "payload.words.map(w, w + payload.tail)[1]"
    events = [{"payload": {"words": ["a", f"b{n}"], "tail": f"-{n}"}} for n in range(50)]
    found = await asyncio.gather(*(ask(source, event) for event in events))
    assert found == [f"b{n}-{n}" for n in range(50)]
