"""The README cannot drift from the code."""

import re
from pathlib import Path

from imbi_worker.settings import Settings, variables_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_stands_in_the_readme_with_its_meaning() -> None:
    rows = {
        frozenset(re.findall(r"`(\w+)`", row.split("|")[1])): row.split("|")[3].strip()
        for row in README.splitlines()
        if row.startswith("| `") and row.count("|") == 4
    }
    for name, field in Settings.model_fields.items():
        assert rows.pop(frozenset(variables_of(name)), None) == field.description, name
    assert set().union(*rows) == {"IMBI_AUTH_ENCRYPTION_KEY", "IMBI_WORKER_OLD_ENCRYPTION_KEYS"}


def test_every_room_and_document_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for path in links:
        assert (ROOT / path).exists(), path


def test_every_make_verb_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in set(re.findall(r"`?make ([a-z0-9-]+)", README)):
        assert f"\n{verb}:" in makefile, verb
