"""Trouble with Redis, as it is told: what it is, and what somebody can do about it."""

from dataclasses import dataclass
from typing import Final

from imbi_sdk.connecting import tls_failure, tls_remedy, tls_text
from imbi_worker.queue.connection import is_forbidden, is_login_refused, is_passing

CA_SETTING: Final = "IMBI_WORKER_REDIS_CA_FILE"


class LayoutMismatch(Exception):  # noqa: N818 - reads as what it is at the call
    """This Redis belongs to another version; the text names both."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """*event* names its kind in the log; what *passes* by itself is a warning there."""

    event: str
    detail: str
    hint: str
    passes: bool = False

    @property
    def kind(self) -> str:
        """The same as long as nothing new can be told."""
        return self.event if self.passes else f"{self.event} {self.detail}"


def trouble_of(error: BaseException) -> Trouble:
    """What *error* of a call of Redis means. Its texts name users and keys, never a password."""
    detail = str(error)[:1_000]
    if is_login_refused(error):
        hint = "compare user and password of REDIS_URL with the users of Redis"
        return Trouble("redis.refused", detail, hint)
    if is_forbidden(error):
        hint = "give the user its rights: deploy/redis/users.acl has those of each role"
        return Trouble("redis.forbidden", detail, hint)
    failure = tls_failure(error)
    if failure is not None:
        hint = tls_remedy(failure, ca_setting=CA_SETTING)
        return Trouble("redis.untrusted", tls_text(failure), hint)
    if is_passing(error):
        return Trouble("redis.away", detail, "running jobs go on", passes=True)
    return Trouble("claim.refused", detail, "see `imbi-worker check`")
