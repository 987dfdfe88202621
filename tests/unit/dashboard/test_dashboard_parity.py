"""What the command line can do, the API can do too, or the page says why not."""

import re
from pathlib import Path
from typing import Final

from imbi_worker.cli.program import NOUNS, VERBS
from imbi_worker.dashboard.catalogue import ENDPOINTS, TAILS

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = {*VERBS, *(f"{noun} {verb}" for noun, (_, parts) in NOUNS.items() for verb in parts)}
# Command -> the endpoints that do the same.
SAME: Final = {
    "status": {"/status"},
    "jobs list": {"/jobs"},
    "jobs show": {"/jobs/{job}"},
    "jobs why": {"/jobs/{job}/why"},
    "jobs cancel": {"/jobs/cancel"},
    "jobs retry": {"/jobs/retry"},
    "jobs tail": {"/jobs/tail"},
    "dead list": {"/dead"},
    "dead groups": {"/dead/groups"},
    "dead show": {"/dead/{job}"},
    "dead replay": {"/dead/replay"},
    "dead discard": {"/dead/discard"},
    "deliveries list": {"/deliveries"},
    "deliveries show": {"/deliveries/{delivery}"},
    "workers list": {"/workers"},
    "queue pause": {"/queue/pause"},
    "queue resume": {"/queue/resume"},
    "queue stats": {"/queue", "/scaling"},
    "holds list": {"/holds"},
    "holds add": {"/holds/add"},
    "holds remove": {"/holds/remove"},
    "audit tail": {"/audit", "/audit/tail"},
    "plugins list": {"/plugins"},
    "plugins show": {"/plugins/{plugin}"},
    "plugins schema": {"/schema"},
}
IN_PART: Final = {"/doctor"}


def test_every_command_is_an_endpoint_or_said_not_to_be() -> None:
    """A new command goes into one of the two."""
    rows = re.findall(r"^\| ((?:`[a-z ]+`(?:, )?)+) \| ", PAGE, re.MULTILINE)
    missing = {name for row in rows for name in re.findall(r"`([a-z ]+)`", row)} & COMMANDS
    assert missing | {*SAME} == COMMANDS
    assert not missing & {*SAME}


def test_every_endpoint_is_a_command() -> None:
    """The API has no operation that an operator at a terminal lacks."""
    paths = {one.path for one in (*ENDPOINTS, *TAILS)}
    assert set().union(*SAME.values()) | IN_PART == paths
