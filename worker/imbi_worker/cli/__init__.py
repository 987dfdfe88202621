"""The command ``imbi-worker``."""

from imbi_worker.cli.program import main as main
