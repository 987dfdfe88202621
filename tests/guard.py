"""A Redis that lets nobody in but the users of ``deploy/redis/users.acl``."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis as blocking
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from imbi_worker.embedded import Valkey

FILE = Path(__file__).parents[1] / "deploy" / "redis" / "users.acl"
TEXT = FILE.read_text(encoding="utf-8")

# redis-py names itself and does not mind; Redis 7.0 would refuse a file with that right. Without
# an append-only file a worker asks for snapshots: CONFIG GET would show passwords, too.
MEANT = ("client|setinfo", "config|get")


def password_of(user: str) -> str:
    """With every character that means something in an address."""
    return f"{user}:p@ss/w%rd?#[&]=+ 'x'"


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def filled(text: str) -> str:
    """The file with a hash in each of its places."""
    return re.sub(r"#([a-z-]+)(?= )", lambda m: f"#{digest(password_of(m[1]))}", text)


class GuardedValkey(Valkey):
    """Its users come from a file; who has no name is not heard.

    With the administrator's *password* the file is there already, filled in.
    """

    def __init__(self, directory: Path, *, password: str | None = None) -> None:
        self.file = directory / "users.acl"
        self.password = password
        if password is None:
            self.file.write_text(filled(TEXT), encoding="utf-8")
        super().__init__(settings={"aclfile": str(self.file)})

    def answers(self) -> bool:
        try:
            with Guard(self).admin() as admin:
                return bool(admin.ping())
        except RedisConnectionError:
            return False


@dataclass
class Guard:
    server: GuardedValkey

    def url(self, user: str, password: str | None = None) -> str:
        secret = quote(password_of(user) if password is None else password, safe="")
        return self.server.url.replace("unix://", f"unix://{user}:{secret}@")

    def client(self, user: str) -> Redis:
        """To be closed by who asks for it."""
        return Redis.from_url(self.url(user))

    def admin(self) -> blocking.Redis:
        return blocking.Redis.from_url(self.url("admin", self.server.password))

    def tell(self, *words: str) -> Any:
        """A command of the administrator."""
        with self.admin() as admin:
            return admin.execute_command(*words)

    def may(self, user: str, *call: str) -> str:
        """'' if *user* may make this call, else what Redis says; it is not made."""
        answer = self.tell("ACL", "DRYRUN", user, *call)
        text = answer.decode() if isinstance(answer, bytes) else str(answer)
        return "" if text == "OK" else text

    def refused(self) -> list[str]:
        """What was refused to whom since the last look; the newest first."""
        with self.admin() as admin:
            entries: Sequence[dict[str, Any]] = admin.acl_log()
            admin.acl_log_reset()
        told = [f"{one['username']}: {one['reason']} {one['object']}" for one in entries]
        return [one for one in told if not one.endswith(MEANT)]

    def everything(self) -> dict[bytes, bytes | None]:
        """Every key with its bytes, to be compared."""
        with self.admin() as admin:
            return {key: admin.dump(key) for key in admin.scan_iter()}

    def reset(self) -> None:
        """An empty Redis with the users of the file."""
        self.server.file.write_text(filled(TEXT), encoding="utf-8")
        with self.admin() as admin:
            admin.flushall()
            admin.acl_load()
            admin.acl_log_reset()
