"""The image as it is shipped: what is in it, and a job's life in it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from container import Container, Image

from acceptance.stage import Stage
from imbi_sdk.queue import keys
from imbi_worker.operations.new_plugin import create_plugin
from supply_chain.lock import read
from waiting import until


def test_it_holds_what_the_lock_pins_and_our_two_packages(image: Image) -> None:
    """Pip, and what the base's venv brings with it, are the base's."""
    done = image.run("pip", "list", "--format", "json", "--disable-pip-version-check")
    held = {
        one["name"].lower().replace("_", "-"): one["version"] for one in json.loads(done.stdout)
    }
    for name in ("pip", "setuptools", "imbi-sdk", "imbi-worker"):
        held.pop(name, None)
    pins = read("production")
    assert {name: pins[name].version for name in held} == held
    missing = {pin.name for pin in pins.values() if not pin.condition} - held.keys()
    assert missing == set()


def test_it_has_no_compiler_and_no_server(image: Image) -> None:
    for command in ("cc", "gcc", "make", "valkey-server", "java"):
        assert image.run("sh", "-c", f"command -v {command}").returncode != 0, command


def test_it_refuses_to_start_without_settings_and_names_them(image: Image) -> None:
    done = image.run(*image.config["Entrypoint"], *image.config["Cmd"])
    assert done.returncode == 78
    assert "IMBI_AUTH_ENCRYPTION_KEY" in done.stderr


async def test_a_job_lives_and_ends_in_it(
    image: Image, stage: Stage, settings: dict[str, str], tmp_path: Path
) -> None:
    """As uid 10001 on a root that nobody writes; healthy; gone with 0 at SIGTERM."""
    log = tmp_path / "log"
    worker = image.start(settings, log)
    await until(lambda: beats(stage), 30)
    enqueued = await stage.enqueue(
        ("gateway-actions#update_project", [{"path": "/branch", "from": "/payload/ref"}])
    )
    await stage.until_state(enqueued, "succeeded")
    assert stage.api.projects["org", "p0"]["branch"] == "refs/heads/main"

    assert "Uid:\t10001\t10001\t10001\t10001" in worker.status()
    assert worker.execute("sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline").stdout.endswith(" run ")
    refused = worker.execute("touch", "/opt/imbi-worker/x")
    assert "Read-only file system" in refused.stderr
    await until(lambda: is_healthy(worker, image), 30)

    os.kill(worker.pid, signal.SIGTERM)
    assert worker.ended() == 0
    assert "worker.stopped" in log.read_text(encoding="utf-8")


async def beats(stage: Stage) -> bool:
    return bool(await stage.redis.zrange(keys.WORKERS, 0, -1))


def is_healthy(worker: Container, image: Image) -> bool:
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    return worker.execute(*command).returncode == 0


def test_a_plugin_installed_into_the_mounted_folder_is_loaded(image: Image, tmp_path: Path) -> None:
    """By the image's own pip as an init container runs it, then by the worker's loader."""
    made = create_plugin("greeter", tmp_path / "source").directory
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    plugins.chmod(0o777)
    subprocess.run(  # noqa: S603 - pip, our own words
        [
            *(sys.executable, "-m", "pip", "--quiet", "wheel", "--no-build-isolation", "--no-deps"),
            *("--wheel-dir", plugins / "wheels", made),
        ],
        check=True,
    )
    installed = image.run(
        *("pip", "install", "--no-deps", "--no-index", "--find-links", "/plugins/wheels"),
        *("--target", "/plugins", "imbi-plugin-greeter"),
        plugins=plugins,
    )
    assert installed.returncode == 0, installed.stderr
    listed = image.run("imbi-worker", "plugins", "list", "--json", plugins=plugins)
    found = {one["name"]: one["status"] for one in map(json.loads, listed.stdout.splitlines())}
    assert found == {"gateway-actions": "loaded", "greeter": "loaded"}
