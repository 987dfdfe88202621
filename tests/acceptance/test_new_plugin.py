"""`plugins new`: what it writes works as it stands, without a network or a server."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from imbi_worker.operations.errors import InvalidInput, Refused
from imbi_worker.operations.new_plugin import NewPlugin, create_plugin

SLUGS = ["issue-tracker", "x", "a--b2-", "imbi"]
ENDED = subprocess.CompletedProcess[str]


@pytest.fixture
def offline(tmp_path: Path) -> Callable[..., ENDED]:
    """Runs a Python module in a directory, in a process that can open no connection."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*_):\n"
        "    raise OSError('a connection was opened')\n"
        "socket.socket.connect = socket.socket.connect_ex = refuse\n"
        "socket.getaddrinfo = refuse\n",
        encoding="utf-8",
    )

    def run(*arguments: str, cwd: Path, path: Path | None = None) -> ENDED:
        places = [str(guard), *([str(path)] if path else [])]
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *arguments],
            cwd=cwd,
            env={**kept, "PYTHONPATH": os.pathsep.join(places), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )

    return run


def made(slug: str, folder: Path) -> NewPlugin:
    return create_plugin(slug, folder / "made")


def install(plugin: NewPlugin) -> Path:
    """Put an entry point beside the source, as an editable install would."""
    project = tomllib.loads((plugin.directory / "pyproject.toml").read_text("utf-8"))["project"]
    source = plugin.directory / "src"
    info = source / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(metadata, "utf-8")
    points = project["entry-points"]["imbi.plugins"]
    lines = [f"{name} = {target}" for name, target in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[imbi.plugins]", *lines, ""]), "utf-8")
    return source


@pytest.mark.parametrize("slug", SLUGS)
def test_the_tests_of_a_new_plugin_pass_at_once(
    slug: str, tmp_path: Path, offline: Callable[..., ENDED]
) -> None:
    """Uninstalled, offline, with every warning an error."""
    plugin = made(slug, tmp_path)
    ended = offline(
        *("-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=plugin.directory
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^1[0-9] passed", ended.stdout, re.MULTILINE), ended.stdout


def test_its_tests_can_fail(tmp_path: Path, offline: Callable[..., ENDED]) -> None:
    """A plugin that no longer does what it says does not pass."""
    plugin = made("issue-tracker", tmp_path)
    action = plugin.directory / "src" / "imbi_plugin_issue_tracker" / "actions.py"
    text = action.read_text("utf-8")
    action.write_text(text.replace("LOGGER.info(", "LOGGER.debug("), "utf-8")
    ended = offline("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=plugin.directory)
    assert ended.returncode == 1
    assert "1 failed" in ended.stdout


@pytest.mark.parametrize("slug", SLUGS)
def test_a_new_plugin_loads(slug: str, tmp_path: Path, offline: Callable[..., ENDED]) -> None:
    """Through its entry point, with its action."""
    source = install(made(slug, tmp_path))
    script = (
        "import json\n"
        "from imbi_sdk import find_action, load_plugins\n"
        "result = load_plugins()\n"
        f"entry, descriptor = find_action({slug!r}, 'announce')\n"
        "print(json.dumps([result.loaded, result.errors, entry.package_version,\n"
        "                  descriptor.label]))\n"
    )
    ended = offline("-c", script, cwd=tmp_path, path=source)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [[slug], {}, "0.1.0", "Log a part of the event"]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_new_plugin_is_clean(slug: str, tmp_path: Path, offline: Callable[..., ENDED]) -> None:
    """Ruff finds nothing with its default rules, and would format nothing."""
    directory = made(slug, tmp_path).directory
    for command in (["check"], ["format", "--check"]):
        ended = offline("-m", "ruff", *command, "--isolated", "--no-cache", ".", cwd=directory)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_command_writes_and_tells(tmp_path: Path, offline: Callable[..., ENDED]) -> None:
    """The files on stdout, what to do next on stderr; a second time it refuses."""
    command = ("-m", "imbi_worker", "plugins", "new", "issue-tracker")
    first = offline(*command, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    written = first.stdout.split()
    assert all((tmp_path / name).is_file() for name in written)
    assert "imbi-plugin-issue-tracker/pyproject.toml" in written
    assert "cd imbi-plugin-issue-tracker && python -m pytest" in first.stderr
    second = offline(*command, cwd=tmp_path)
    assert second.returncode == 4
    assert "'imbi-plugin-issue-tracker' exists" in second.stderr
    third = offline(*command, "--directory", "deep/other", "--json", cwd=tmp_path)
    assert third.returncode == 0, third.stderr
    told = json.loads(third.stdout)
    assert (told["slug"], told["directory"]) == ("issue-tracker", "deep/other")
    assert all((tmp_path / "deep" / "other" / name).is_file() for name in told["files"])


@pytest.mark.parametrize(
    "slug",
    ["", "Issue", "9lives", "a_b", "a b", "a/b", "../a", "a\n", "-a", "ä", "$slug", "a" * 65],
)
def test_what_is_no_slug_is_refused(slug: str, tmp_path: Path) -> None:
    """Before anything is written, with what one looks like."""
    with pytest.raises(InvalidInput) as refused:
        create_plugin(slug, tmp_path / "made")
    assert "lower case letters" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_what_is_there_is_left_alone(kind: str, tmp_path: Path) -> None:
    """Even an empty directory: it may be somebody's."""
    target = tmp_path / "made"
    if kind == "directory":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine", "utf-8")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Refused, match="exists"):
        create_plugin("issue-tracker", target)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the reason of the system."""
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InvalidInput, match="cannot be written"):
        create_plugin("issue-tracker", tmp_path / "file" / "made")


def test_half_a_package_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try finds the place free."""
    real = Path.write_text

    def full(self: Path, *arguments: object, **options: object) -> int:
        if self.name == "plugin.py":
            raise OSError(28, "No space left on device")
        return real(self, *arguments, **options)  # type: ignore[arg-type]  # passed on as given

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InvalidInput, match="No space left"):
        create_plugin("issue-tracker", tmp_path / "made")
    assert not (tmp_path / "made").exists()
