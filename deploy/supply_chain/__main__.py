"""`python -m supply_chain sbom FOLDER` and `python -m supply_chain licences`; see the Makefile."""

import argparse
from pathlib import Path

from supply_chain.lock import LOCKS
from supply_chain.page import page
from supply_chain.sbom import bill

BILLS = {"imbi-worker": "production", "imbi-worker-otel": "production-otel"}
PAGE = LOCKS.parent / "deploy" / "licences.md"


def main() -> None:
    """Write what was asked for, and say where it is."""
    parser = argparse.ArgumentParser(prog="supply_chain", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("licences")
    verbs.add_parser("sbom").add_argument("folder", type=Path)
    asked = parser.parse_args()
    if asked.verb == "licences":
        PAGE.write_text(page(), encoding="utf-8")
        print(PAGE)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, lock in BILLS.items():
        path = asked.folder / f"{name}.cdx.json"
        path.write_text(bill(lock), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
