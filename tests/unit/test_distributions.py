"""Two distributions that fit together, and locks that can be committed."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _project(path: str) -> dict[str, object]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]


def test_the_worker_pins_the_sdk_to_its_own_version() -> None:
    worker, sdk = _project("pyproject.toml"), _project("sdk/pyproject.toml")
    assert worker["version"] == sdk["version"]
    assert f"imbi-sdk[queue] == {sdk['version']}" in worker["dependencies"]


def test_locks_have_hashes_and_no_addresses() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    names = {lock.stem for lock in locks}
    assert names == {"build", "dev", "production", "production-otel", "runtime"}
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")
