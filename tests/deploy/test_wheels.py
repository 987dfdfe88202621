"""What is published: the same bytes whoever builds it, and all that the code needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"imbi_sdk": ROOT / "sdk/imbi_sdk", "imbi_worker": ROOT / "worker/imbi_worker"}
PARTS = ("pyproject.toml", "README.md", "sdk", "worker")


def _copy(target: Path) -> Path:
    target.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / part)
    return target


def _build(source: Path, out: Path, *kinds: str, **environment: str) -> None:
    subprocess.run(  # noqa: S603 - our own package, the builder of the lock
        [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", out, source],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def _build_both(source: Path, out: Path, **environment: str) -> Path:
    for project in (source / "sdk", source):
        # The wheel comes from the tree, not by way of the sdist.
        _build(project, out, "--sdist", "--wheel", **environment)
    return out


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, as one machine builds them."""
    place = tmp_path_factory.mktemp("one")
    return _build_both(_copy(place / "source"), place / "dist", PYTHONHASHSEED="1")


def _wheel(folder: Path, package: str) -> Path:
    (found,) = folder.glob(f"{package}-*.whl")
    return found


def test_built_twice_the_bytes_are_the_same(published: Path, tmp_path: Path) -> None:
    """In another folder, with other file times and modes, another zone, sets in another order."""
    source = _copy(tmp_path / "somewhere" / "else")
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    other = _build_both(source, tmp_path / "dist", PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    names = sorted(path.name for path in published.iterdir())
    assert [name.partition("-")[0] for name in names] == [*["imbi_sdk"] * 2, *["imbi_worker"] * 2]
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        assert (published / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_of_the_sdist_is_the_wheel(published: Path, tmp_path: Path, package: str) -> None:
    """Whoever has only the sdist builds what we publish."""
    (sdist,) = published.glob(f"{package}-*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    _build(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "dist", "--wheel")
    ours, theirs = _wheel(published, package), _wheel(tmp_path / "dist", package)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_every_file_of_its_package_and_no_other(
    published: Path, package: str
) -> None:
    folder = PACKAGES[package]
    files = {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(_wheel(published, package)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files
    assert f"{package}/py.typed" in held


@pytest.mark.parametrize(
    ("package", "suffixes"),
    [
        ("imbi_sdk", {".py", ".pyi", ".typed", ".lua", ".json"}),
        ("imbi_worker", {".py", ".pyi", ".typed", ".lua", ".css", ".tmpl"}),
    ],
)
def test_what_is_no_code_comes_along(published: Path, package: str, suffixes: set[str]) -> None:
    """Scripts of Redis, schemas, samples, styles, and the files of a new plugin."""
    with zipfile.ZipFile(_wheel(published, package)) as wheel:
        held = {Path(name).suffix for name in wheel.namelist() if ".dist-info/" not in name}
    assert held >= suffixes


def test_the_worker_is_found_by_its_entry_points(published: Path) -> None:
    with zipfile.ZipFile(_wheel(published, "imbi_worker")) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
        told = wheel.read(name).decode()
    assert "imbi-worker = imbi_worker.cli:main" in told
    assert "neo4j = imbi_worker.graph:Neo4jGraph" in told
