"""compose.yaml: read by the rules of its specification, and held to code and files."""

import asyncio
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from compose_spec import PyCompose, PyOptions
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from imbi_worker.dashboard.access import Access, Role, kept_tokens
from imbi_worker.embedded.valkey import find_binary
from imbi_worker.settings import Settings, variables_of
from waiting import until

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy/compose"
BIN = Path(sys.executable).parent
FILES = sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.yaml"))
TOLD: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = TOLD["services"]
OURS = {"worker", "schema", "dashboard"}
COMMAND: list[str] = SERVICES["valkey"]["command"]
OWN = ("IMBI_", "ACTIONS_")
LINT = "{extends: default, rules: {line-length: {max: 160}, document-start: disable}}"


@pytest.mark.parametrize("name", FILES)
def test_yamllint_finds_nothing(name: str) -> None:
    done = subprocess.run(  # noqa: S603 - a tool of the lock
        [BIN / "yamllint", "--strict", "--config-data", LINT, HERE / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def _read_strictly(text: str) -> PyCompose:
    options = PyOptions()
    options.apply_merge = True
    read = options.from_yaml(text)
    read.validate()
    return read


def test_it_is_what_the_specification_of_compose_allows() -> None:
    """Every key is known, and what services refer to is declared."""
    text = (HERE / "compose.yaml").read_text(encoding="utf-8")
    # The defaults of what the environment may say, as compose puts them in.
    read = _read_strictly(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    assert set(read.service_names()) == OURS | {"valkey", "neo4j", "prometheus", "grafana"}


@pytest.mark.parametrize("mistake", ["portz: ['1:1']", "secrets: [nowhere]", "networks: [none]"])
def test_the_reader_would_have_objected(mistake: str) -> None:
    with pytest.raises(ValueError, match=r"portz|nowhere|none"):
        _read_strictly(f"services:\n  a:\n    image: a:1\n    {mistake}\n")


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_variable_is_a_setting_and_every_secret_a_file(service: str) -> None:
    """A secret stands in no environment: `NAME_FILE` names where it is mounted."""
    known = {name for field in Settings.model_fields for name in variables_of(field)}
    known |= {"IMBI_AUTH_ENCRYPTION_KEY"}
    mounted = {f"/run/secrets/{name}" for name in SERVICES[service]["secrets"]}
    environment = SERVICES[service]["environment"]
    files = {name: value for name, value in environment.items() if name.endswith("_FILE")}
    assert {name.removesuffix("_FILE") for name in environment} <= known
    assert set(files.values()) == mounted
    plain = " ".join(set(environment) - set(files))
    assert not re.search("KEY|TOKEN|PASSWORD|REDIS", plain)


def test_the_settings_are_read_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the worker's own reader, with the secrets that the script makes."""
    folder = make_secrets(tmp_path / "secrets")
    for name in [name for name in os.environ if name.startswith(("IMBI_", "NEO4J_", "REDIS_"))]:
        monkeypatch.delenv(name)
    for service in ("worker", "dashboard"):
        with monkeypatch.context() as patch:
            for name, value in SERVICES[service]["environment"].items():
                patch.setenv(name, str(value).replace("/run/secrets", str(folder)))
            settings = Settings.load()
        assert settings.redis_url is not None
        assert settings.redis_url.get_secret_value().endswith("@valkey:6379/0")
        assert len(settings.signing_keys) == 1
        assert settings.actions_imbi_token is None, "there is no Imbi yet"


def test_docker_waits_longer_than_the_drain() -> None:
    """Or its SIGKILL cuts off jobs that were about to end."""
    given = SERVICES["worker"]
    drain = float(given["environment"]["IMBI_WORKER_DRAIN"].removesuffix("s"))
    grace = Settings.model_fields["grace"].default.total_seconds()
    assert float(given["stop_grace_period"].removesuffix("s")) >= max(drain + 15, drain + grace + 1)


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_and_ports_are_this_machines(service: str) -> None:
    given = SERVICES[service]
    tag = given["image"].rpartition(":")[2].rstrip("}")
    assert re.match(r"v?\d+\.\d+", tag), given["image"]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in given.get("ports", []))
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in given


@pytest.mark.parametrize("service", sorted(OURS))
def test_ours_run_on_a_root_that_nobody_writes(service: str) -> None:
    given = SERVICES[service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["tmpfs"] == ["/tmp"]  # noqa: S108 - a folder in a container
    assert "user" not in given, "the image has one"


def test_every_file_that_is_mounted_is_there() -> None:
    mounted = [
        volume["source"]
        for given in SERVICES.values()
        for volume in given.get("volumes", [])
        if isinstance(volume, dict)
    ]
    assert len(mounted) >= 6
    assert [source for source in mounted if not (HERE / source).exists()] == []
    for given in SERVICES.values():
        for volume in given.get("volumes", []):
            if isinstance(volume, str):
                assert volume.partition(":")[0] in TOLD["volumes"]
            else:
                assert volume["read_only"] is True


def test_grafana_and_prometheus_find_what_they_are_told_to_read() -> None:
    """The mounts of one file are the paths of the other."""
    scrapes = yaml.safe_load((HERE / "prometheus.yaml").read_text(encoding="utf-8"))
    targets = {volume["target"] for volume in SERVICES["prometheus"]["volumes"][:2]}
    assert set(scrapes["rule_files"]) < targets
    provider = yaml.safe_load((HERE / "grafana/dashboards.yaml").read_text(encoding="utf-8"))
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {volume["target"] for volume in SERVICES["grafana"]["volumes"][:3]}
    assert str(Path(home).parent) == provider["providers"][0]["options"]["path"]

    (job,) = scrapes["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["worker", "dashboard"]
    port = str(found["port"])
    assert SERVICES["worker"]["environment"]["IMBI_WORKER_METRICS_PORT"] == port
    assert SERVICES["dashboard"]["environment"]["IMBI_WORKER_DASHBOARD_METRICS_PORT"] == port


@pytest.mark.needs_deploy_tools
def test_promtool_reads_the_configuration(promtool: Path, tmp_path: Path) -> None:
    """With the rules where compose mounts them."""
    rules = ROOT / "deploy/helm/imbi-worker/files/rules.yaml"
    text = (HERE / "prometheus.yaml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yaml").write_text(
        text.replace("/etc/prometheus/rules.yaml", str(rules))
    )
    done = subprocess.run(  # noqa: S603 - a tool the tests fetched
        [promtool, "check", "config", tmp_path / "prometheus.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout


def make_secrets(folder: Path, **environment: str) -> Path:
    """What an operator runs first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    done = subprocess.run(  # noqa: S603 - our own script
        [HERE / "make-secrets", folder],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_page_names_what_is_made_and_what_listens(tmp_path: Path) -> None:
    """Every secret it sends somebody to, and every port."""
    page = (HERE / "README.md").read_text(encoding="utf-8")
    made = {path.name for path in make_secrets(tmp_path / "secrets").iterdir()}
    named = set(re.findall(r"secrets/(\w+)", page))
    assert {"dashboard_token", "grafana_password", "redis_url_gateway"} <= named <= made
    ports = {port.split(":")[1] for given in SERVICES.values() for port in given.get("ports", [])}
    assert set(re.findall(r":(\d{4})\b(?= |,)", page)) == ports


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def test_the_script_makes_every_secret_and_git_sees_none(tmp_path: Path) -> None:
    """Readable in the containers, by nobody else on the machine."""
    folder = make_secrets(tmp_path / "secrets")
    declared = {
        Path(one["file"]).name: Path(one["file"]).parent for one in TOLD["secrets"].values()
    }
    made = {path.name for path in folder.iterdir()}
    assert set(declared) <= made
    assert set(declared.values()) == {Path("secrets")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    ignored = subprocess.run(
        ["git", "check-ignore", "--stdin"],  # noqa: S607 - the developer's git
        input="\n".join(f"deploy/compose/secrets/{name}" for name in made),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ignored.stdout.splitlines()) == len(made)


def test_what_is_there_stays_and_what_is_imbis_is_taken(tmp_path: Path) -> None:
    """A second run changes nothing: passwords that servers know already must not change."""
    key = Fernet.generate_key().decode()
    folder = make_secrets(
        tmp_path / "secrets", IMBI_AUTH_ENCRYPTION_KEY=key, ACTIONS_IMBI_TOKEN="theirs"
    )
    assert (_read(folder, "encryption_key"), _read(folder, "imbi_token")) == (key, "theirs")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_secrets(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    other = make_secrets(tmp_path / "other")
    same = [name for name, value in before.items() if (other / name).read_bytes() == value]
    assert same == []


def test_keys_and_tokens_are_of_the_kind_the_code_takes(tmp_path: Path) -> None:
    folder = make_secrets(tmp_path / "secrets")
    Fernet(_read(folder, "encryption_key"))
    access = Access(kept_tokens(_read(folder, "dashboard_tokens")))
    person = access.person(f"Bearer {_read(folder, 'dashboard_token')}")
    assert person is not None
    assert person.role is Role.ADMIN
    assert _read(folder, "neo4j_auth") == f"neo4j/{_read(folder, 'neo4j_password')}"


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[tuple[Path, Path]]:
    """Valkey as compose.yaml starts it, on a socket; the folder of its secrets beside it."""
    folder, socket = make_secrets(tmp_path / "secrets"), tmp_path / "socket"
    words = [str(word).replace("/run/secrets", str(folder)) for word in COMMAND]
    here = ["--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)]
    server = await asyncio.create_subprocess_exec(
        find_binary(), *words[1:], *here, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: answers(socket))
        yield socket, folder
    finally:
        server.terminate()
        await server.wait()


async def answers(socket: Path) -> bool:
    """As the healthcheck asks."""
    user = "health"
    assert "--user health --pass health ping" in SERVICES["valkey"]["healthcheck"]["test"][1]
    async with Redis(unix_socket_path=str(socket), username=user, password=user) as client:
        try:
            return bool(await client.ping())
        except (ConnectionError, RedisConnectionError):
            return False


async def test_each_role_gets_in_and_nobody_without_a_name(started: tuple[Path, Path]) -> None:
    """With the addresses of the script; a full Redis refuses, and writes survive."""
    socket, folder = started
    for role in ("worker", "dashboard", "gateway"):
        address = urlsplit(_read(folder, f"redis_url_{role}"))
        async with Redis(
            unix_socket_path=str(socket), username=address.username, password=address.password
        ) as client:
            assert await client.ping()
            with pytest.raises(NoPermissionError):
                await client.config_get("maxmemory")
    async with Redis(unix_socket_path=str(socket)) as stranger:
        with pytest.raises(RedisConnectionError, match="Authentication required"):
            await stranger.ping()
    async with Redis(unix_socket_path=str(socket), username="health", password="x") as health:
        with pytest.raises(NoPermissionError):
            await health.get("imbi:layout")
    password = _read(folder, "redis_password_admin")
    async with Redis(unix_socket_path=str(socket), username="admin", password=password) as admin:
        told = await admin.config_get("*")
    assert told["maxmemory-policy"] == "noeviction"
    assert told["appendonly"] == "yes"
    assert int(told["maxmemory"]) == 1024**3
