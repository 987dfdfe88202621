"""The page of metrics cannot drift from the table, nor the table from what is exported."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry
from recorded import HANDLER, counting

from imbi_sdk.queue.enqueue_counter import MOST_HANDLERS, RESULTS, EnqueueCounter
from imbi_worker.observability import metrics
from imbi_worker.observability.queue_figures import QueueCollector, QueueFigures
from imbi_worker.observability.vital_signs import Equipment, live, ready
from imbi_worker.queue.inspection.views import QueueStats
from imbi_worker.queue.vitals import Vitals

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
WORKERS = ROOT / "deploy" / "helm" / "imbi-worker" / "templates" / "worker.yaml"
TITLES = {"worker": "Of each worker", "queue": "Of the queue", "gateway": "Of a gateway"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def values(label: str) -> tuple[str, ...]:
    """What the page says that a label can be."""
    (found,) = re.findall(rf"^\| {re.escape(label)} \| (.+) \|$", PAGE, re.MULTILINE)
    return tuple(re.findall(r"`(\w+)`", found))


def test_every_metric_stands_on_the_page_under_who_exports_it() -> None:
    """With its kind, its labels and its meaning; and no other one does."""
    for source, title in TITLES.items():
        rows = re.findall(r"^\| `(imbi_\w+)` \| (.*) \|$", section(title), re.MULTILINE)
        assert dict(rows) == {
            metric.name: f"{metric.kind} | {', '.join(metric.labels)} | {metric.text}"
            for metric in metrics.ALL
            if metric.source == source
        }


def test_every_value_a_label_can_take_stands_on_the_page() -> None:
    """In their order."""
    assert values("`outcome` of attempts") == metrics.OUTCOMES
    assert values("`outcome` of ends") == metrics.ENDS
    assert values("`error_class`") == metrics.ERROR_CLASSES
    assert values("`reason` of deferrals") == metrics.DEFERRALS
    assert values("`result` of fetches") == metrics.FETCHES
    assert values("`outcome` of jobs") == metrics.ENDS
    assert values("`state`") == metrics.STATES
    assert values("`kind` of holds") == metrics.HOLD_KINDS
    assert values("`kind` of repairs") == metrics.REPAIRS
    assert values("`result` of dedup") == metrics.DEDUPLICATIONS
    assert values("`result` of enqueues") == RESULTS
    assert f"The first {MOST_HANDLERS} handlers" in PAGE


def test_what_is_declared_is_exported_and_nothing_else() -> None:
    """Names, kinds, texts and labels, of worker, queue and gateway together."""
    counts = counting()
    counts.watch(lambda: VITALS)
    counts.of(HANDLER).ended("succeeded", 1.0)
    counts.of(HANDLER).finished("succeeded", 1.0)
    queue = QueueCollector("imbi:queue")
    queue.figures = QueueFigures(
        "imbi:queue", QueueStats(NOW, 0, 0, 0, 0, 0, 0, 0, {}), (), (), timedelta()
    )
    client = CollectorRegistry()
    EnqueueCounter(client).count(HANDLER, "accepted")
    exported = {}
    for family in (*counts.registry.collect(), *queue.collect(), *client.collect()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        exported[name] = (family.type, family.documentation, labels)
    assert exported == {
        metric.name: (metric.kind, metric.text, {frozenset(metric.labels)})
        for metric in metrics.ALL
    }


def test_the_page_has_every_check_of_the_probes() -> None:
    """With what it belongs to, and whether it counts."""
    told = set(re.findall(r"^\| ([\w ]+) \| (live|ready) \| (yes|no) \|", PAGE, re.MULTILINE))
    health = {"live": live(VITALS, now=0, stall=timedelta(seconds=1))}
    health["ready"] = ready(VITALS, Equipment((), (), key_is_usable=True), now=NOW)
    assert told == {
        (check.name, name, "yes" if check.counts else "no")
        for name, found in health.items()
        for check in found.checks
    }


VITALS = Vitals(
    0, 0, NOW, hears_redis=True, is_draining=False, graph_answers=True, running=1, slots=2
)


def test_every_repair_that_a_script_counts_is_told() -> None:
    """A kind that the table lacks would be mended in silence."""
    scripts = Path(__file__).parents[3] / "worker" / "imbi_worker" / "queue" / "scripts"
    text = "".join(path.read_text(encoding="utf-8") for path in scripts.glob("*.lua"))
    kinds = re.findall(r"repaired\('(\w+)'\)|'repairs:(\w+)'", text)
    assert {a or b for a, b in kinds} == set(metrics.REPAIRS)


def test_the_probes_are_those_of_the_chart() -> None:
    """To the second: whoever writes manifests by hand copies them from here."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    probes = r"^ +\w+Probe:\n(?:^ +(?:httpGet|\w+Seconds|\w+Threshold):.*\n)+"
    found = re.findall(probes, WORKERS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 3
    assert yaml.safe_load(shown) == yaml.safe_load("".join(found))
