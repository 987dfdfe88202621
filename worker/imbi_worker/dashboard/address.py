"""Where the dashboard may listen, and under which names it may be asked for."""

import ipaddress


class PublicWithoutTokens(ValueError):  # noqa: N818 - reads as what it is at the call
    """An address that others can reach, and no token that would keep them out."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*: an address, or ``localhost``."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        # Another name may lead anywhere.
        return False


def check_address(host: str, *, has_tokens: bool) -> None:
    """:raises PublicWithoutTokens: *host* can be reached from elsewhere, by everybody."""
    if has_tokens or is_loopback(host):
        return
    raise PublicWithoutTokens(
        f"{host} can be reached from other machines, and there is no token: make one with"
        " `imbi-worker tokens new NAME` and set IMBI_WORKER_DASHBOARD_TOKENS, or listen on"
        " 127.0.0.1"
    )


def is_known_name(header: str | None) -> bool:
    """Whether a ``Host`` header names this machine.

    Without tokens this keeps out pages that let a name of theirs point to 127.0.0.1
    (DNS rebinding): they ask under that name.
    """
    if not header:
        return False
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
    return is_loopback(host)
