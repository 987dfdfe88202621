"""The users' file, the table of roles, the page of keys and the scripts say the same."""

import re
import shutil
import subprocess
from importlib.resources import files
from itertools import chain
from pathlib import Path

import pytest
import redis as blocking
from redis.exceptions import AuthenticationError

from guard import FILE, TEXT, Guard, GuardedValkey
from imbi_sdk.queue.scripts import load_script
from imbi_worker.queue.claims import SCRIPTS
from imbi_worker.queue.rights import FORMS, call
from imbi_worker.queue.roles import GATEWAY, OPERATOR, QUEUE, ROLES, VIEWER, WORKER, Role

PAGE = Path(__file__).parents[3] / "docs" / "keys.md"
_, _, RIGHTS = PAGE.read_text(encoding="utf-8").partition("\n## Who needs what\n")
ACCESS = {"~": "rw", "%R~": "r", "%W~": "w"}
NAMES = {role.user for role in ROLES}
# Which scripts a role runs. What another package shares lies with the SDK's.
GATEWAYS = ("enqueue", "records", "acknowledge")
WORKERS = ("claim", "finish", "renew", "alone", "adopt", "janitor")
OPERATORS = ("replay", "discard", "import", "hold", "unhold", "cancel", "run_now", "enqueue")
RUN_BY = [
    *((GATEWAY, name) for name in GATEWAYS),
    *((WORKER, name) for name in WORKERS),
    *((OPERATOR, name) for name in OPERATORS),
]
# A variable that names a key, and what it stands for.
VARIABLES = {
    "key": ("imbi:delivery:x",),
    "record": ("imbi:delivery:x",),
    "worker_key": ("imbi:worker:x",),
    "unpack(freed": ("arq:job:x", "arq:in-progress:x", "arq:retry:x"),
    "unpack(names": ("imbi:lane-moved:x",),
    "names[first + n - 1]": ("imbi:lane-moved:x",),
}
# Where the rights themselves stand.
NOT_CALLS = {"roles.py", "rights.py"}
CALL = re.compile(r"redis\.p?call\('([A-Z]+)'(?:,\s*([^,)]+))?")


def users() -> dict[str, tuple[set[str], dict[str, str]]]:
    """Commands and keys of each user of the file."""
    found = {}
    for line in TEXT.splitlines():
        _, name, *words = line.split()
        keys = [re.fullmatch(r"((?:%[RW])?~)(.+)", word) for word in words]
        found[name] = (
            {word[1:] for word in words if word.startswith("+")},
            {match[2]: ACCESS[match[1]] for match in keys if match},
        )
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.user)
def test_the_file_gives_each_role_what_its_table_says(role: Role) -> None:
    """Neither a command nor a key more or less."""
    commands, keys = users()[role.user]
    assert commands == role.commands
    assert keys == {name.replace(QUEUE, "imbi:queue"): may for name, may in role.keys.items()}


def test_no_user_of_the_file_has_more_than_is_written_there() -> None:
    """Each begins with nothing, and without a channel; one needs a password, one is shut."""
    for line in TEXT.splitlines():
        _, name, *words = line.split()
        if name not in {"admin", "default"}:
            assert words[:3] == ["on", f"#{name}", "resetchannels"]
            assert words.index("-@all") < min(words.index(w) for w in words if w[0] == "+")
            assert "nopass" not in words
    assert TEXT.startswith("user default off resetchannels -@all\n")


def test_dashboards_made_for_arq_get_what_their_page_says() -> None:
    """The command there and the user here have the same rights."""
    page = (PAGE.parent / "dashboards.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"ACL SETUSER arq-reader on >PASSWORD resetkeys ([^`]*)", page)
    (line,) = re.findall(r"^user arq-reader on #arq-reader (.*)$", TEXT, re.MULTILINE)
    assert sorted(said.split()) == sorted(line.split())


def test_the_page_of_keys_tells_the_rights() -> None:
    """Row for row; every key of the page is somebody's."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|(.*)\|(.*)\|(.*)\|$", RIGHTS, re.MULTILINE)
    table = PAGE.read_text(encoding="utf-8").partition("\n## Who needs what\n")[0]
    assert [row[0] for row in rows] == re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    told = {re.sub(r"<(?!queue>)\w+>", "*", row[0]): row for row in rows}
    told[QUEUE] = told.pop("imbi:queue")
    for place, role in enumerate(ROLES, 1):
        given = {name: row[place].strip() for name, row in told.items() if row[place].strip()}
        assert given == role.keys


def test_every_script_is_run_by_a_role() -> None:
    """Files that begin with their flags are scripts; others are included in some."""
    folders = [Path(str(files(package))) for package in (SCRIPTS, "imbi_sdk.queue.scripts")]
    found = {path.stem for folder in folders for path in folder.glob("*.lua") if is_script(path)}
    assert found == {name for _, name in RUN_BY} | {"rights"}


def is_script(path: Path) -> bool:
    return path.read_text(encoding="utf-8").startswith("#!lua")


@pytest.mark.parametrize(("role", "name"), RUN_BY, ids=lambda one: getattr(one, "user", one))
def test_a_role_may_make_every_call_of_its_scripts(guard: Guard, role: Role, name: str) -> None:
    """Redis itself is asked, for each call that stands in the script and in what it includes."""
    calls = list(calls_of(name))
    assert calls
    refused = [told for one in calls if (told := guard.may(role.user, *one))]
    assert refused == []


def calls_of(name: str) -> list[tuple[str, ...]]:
    try:
        source = load_script(name, SCRIPTS).source
    except FileNotFoundError:
        source = load_script(name).source
    source = re.sub(r"--.*", "", source)
    places = dict(re.findall(r"^local ([A-Z_]+) = '([a-z:-]+)'$", source, re.MULTILINE))
    return [
        tuple(call(FORMS[command.lower()], key))
        for command, expression in CALL.findall(source)
        for key in keys_of(expression.strip(), places)
    ]


def keys_of(expression: str, places: dict[str, str]) -> tuple[str, ...]:
    """The keys that *expression* may name. A new way to name one must be added here."""
    if expression in VARIABLES or not expression:
        return VARIABLES.get(expression, ("",))
    first, *rest = expression.split(" .. ")
    if first == "QUEUE":
        return ("imbi:queue",)
    prefix = first.strip("'") if first.startswith("'") else places[first]
    return (f"{prefix}x" if rest else prefix,)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.user)
def test_no_right_is_idle(role: Role) -> None:
    """Each command stands in what the role runs; who drops its last call drops the right."""
    packages = {
        GATEWAY.user: ["imbi_sdk.queue"],
        VIEWER.user: ["imbi_worker.queue.inspection", "imbi_worker.dashboard"],
        OPERATOR.user: ["imbi_sdk.queue", "imbi_worker.queue"],
        WORKER.user: ["imbi_sdk.queue", "imbi_worker.queue"],
    }[role.user]
    roots = [Path(str(files(package))) for package in packages]
    paths = chain.from_iterable((*root.rglob("*.py"), *root.rglob("*.lua")) for root in roots)
    texts = [path.read_text(encoding="utf-8") for path in paths if path.name not in NOT_CALLS]
    source = "\n".join(texts).lower()
    idle = {
        command
        for command in role.commands
        if not all(
            re.search(rf"""['" ]{word}\b|\.{word}\(""", source) for word in command.split("|")
        )
    }
    assert idle == set()


def test_every_question_about_a_right_is_a_whole_call(guard: Guard) -> None:
    """One that lacked arguments would crash Valkey 9.1.2; and it is about its key alone."""
    assert set().union(*(role.commands for role in ROLES)) - {"eval", "evalsha"} == set(FORMS)
    for form in FORMS.values():
        if "KEY" in form:
            assert guard.tell("COMMAND GETKEYS", *call(form, "sample")) == ["sample"]


def test_the_readme_makes_the_first_passwords(tmp_path: Path) -> None:
    """Its commands, as they stand there: each user gets in by its file, and by nothing else."""
    readme = (FILE.parent / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)
    shutil.copy(FILE, tmp_path)
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True, timeout=30)  # noqa: S603, S607 - our own document
    assert not re.search(r"#[a-z]+-", (tmp_path / "users.acl").read_text(encoding="utf-8"))
    server = GuardedValkey(tmp_path, password=(tmp_path / "admin.password").read_text())
    server.start()
    try:
        for role in ROLES:
            password = (tmp_path / f"{role.user}.password").read_text(encoding="utf-8")
            with blocking.Redis.from_url(Guard(server).url(role.user, password)) as client:
                assert client.ping()
        with (
            blocking.Redis.from_url(Guard(server).url("imbi-worker", "other")) as client,
            pytest.raises(AuthenticationError),
        ):
            client.ping()
    finally:
        server.stop()
