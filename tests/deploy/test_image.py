"""The image's recipe; `make test-image` builds it and runs it."""

import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from imbi_worker.operations.new_plugin import create_plugin
from imbi_worker.settings import Settings, variables_of

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILE = ROOT / "deploy/Dockerfile"
SCRIPTS = [
    ROOT / "deploy/compose/make-secrets",
    ROOT / "deploy/image/build",
    ROOT / "deploy/image/stand-in-base",
    ROOT / "requirements/compile",
    ROOT / "tests/image/run",
]


def _instructions(name: str) -> list[str]:
    """Their arguments in order, continued lines joined, comments left out."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [" ".join(line.split()[1:]) for line in text.splitlines() if line.split()[:1] == [name]]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(  # noqa: S603 - a tool of the lock
        [BIN / "hadolint", "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_nothing_in_the_image_of_ones_own(tmp_path: Path) -> None:
    """The one that deploy/README.md shows, with a plugin in it."""
    readme = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```dockerfile\n(.*?)```", readme, re.DOTALL)
    assert shown.endswith(f"USER {_instructions('USER')[0]}\n")
    (tmp_path / "Dockerfile").write_text(shown)
    done = subprocess.run(  # noqa: S603 - a tool of the lock
        [BIN / "hadolint", "--failure-threshold", "style", tmp_path / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a tool of the lock
        [BIN / "shellcheck", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_nobody_is_root_in_it_and_the_command_gets_the_signals() -> None:
    """By number, as `runAsNonRoot` wants it; no shell stands between kubelet and worker."""
    assert _instructions("USER") == ["10001:10001"]
    assert json.loads(_instructions("ENTRYPOINT")[0]) == ["imbi-worker"]
    assert json.loads(_instructions("CMD")[0]) == ["run"]
    (health,) = _instructions("HEALTHCHECK")
    assert json.loads(health.partition("CMD ")[2]) == ["imbi-worker", "check", "--live"]


def test_everything_is_installed_by_its_hash_and_nothing_is_compiled() -> None:
    """What comes from outside; our own two wheels come from the tree, without an index."""
    installs = re.findall(r"pip (?:install|wheel) (?:(?!&&).)*", " && ".join(_instructions("RUN")))
    assert len(installs) == 4
    for line in installs:
        if "--no-index" in line:
            assert "--no-deps" in line
        else:
            assert "--require-hashes --only-binary :all:" in line
            assert re.search(
                r"requirements/(build|production\$\{EXTRA:\+-\$\{EXTRA\}\})\.txt", line
            )
    assert "apt-get" not in DOCKERFILE.read_text(encoding="utf-8")


def test_labels_and_settings_are_those_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"VERSION={project['version']}" in _instructions("ARG")
    (labels,) = _instructions("LABEL")
    assert f'image.title="{project["name"]}"' in labels
    assert f'image.licenses="{project["license"]}"' in labels
    known = {name for field in Settings.model_fields for name in variables_of(field)}
    set_here = set(re.findall(r"IMBI_WORKER_\w+", " ".join(_instructions("ENV"))))
    assert set_here == {"IMBI_WORKER_HEARTBEAT_FILE", "IMBI_WORKER_REVISION"}
    assert set_here <= known


def test_what_the_build_copies_is_not_ignored() -> None:
    """And the rest of the tree is, and with it what nobody wants in an image."""
    lines = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all(list(ROOT.glob(rule)) for rule in let_in)
    for line in _instructions("COPY"):
        if not line.startswith("--from"):
            for source in line.split()[:-1]:
                assert any(rule.split("/")[0] == source for rule in let_in), source


def test_a_mounted_plugin_is_found_and_can_replace_nothing(tmp_path: Path) -> None:
    """A .pth file names the folder, as in the image; the worker's packages go first."""
    plugins, image = tmp_path / "plugins", tmp_path / "image"
    made = create_plugin("greeter", tmp_path / "source").directory
    _pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", tmp_path / "wheels", made)
    # What an init container does, with the wheels mounted.
    _pip(
        *("install", "--no-index", "--no-deps", "--find-links", tmp_path / "wheels"),
        *("--target", plugins, "imbi-plugin-greeter"),
    )
    (plugins / "redis.py").write_text("raise RuntimeError('not this one')\n")

    venv.create(image, with_pip=False)
    packages = image / f"lib/python3.{sys.version_info.minor}/site-packages"
    ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (packages / "image.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    (packages / "plugins.pth").write_text(f"{plugins}\n")
    done = subprocess.run(  # noqa: S603 - our own command
        [image / "bin/python", "-m", "imbi_worker", "plugins", "list", "--json"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert told["greeter"]["package"] == "imbi-plugin-greeter"
    assert told["greeter"]["status"] == "loaded"


def _pip(*arguments: str | Path) -> None:
    subprocess.run(  # noqa: S603 - pip, our own words
        [sys.executable, "-m", "pip", "--quiet", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
