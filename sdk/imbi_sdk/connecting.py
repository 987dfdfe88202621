"""Why a connection could not be made: clients wrap what happens while they connect."""

import ssl
from collections.abc import Iterator

_EXPIRED = frozenset({9, 10})  # not yet valid, no longer valid: OpenSSL's own numbers
_OTHER_NAME = frozenset({62, 64})  # of a host, of an address


def behind(error: BaseException) -> Iterator[BaseException]:
    """*error* and what led to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def tls_failure(error: BaseException) -> ssl.SSLError | None:
    """The failure of TLS behind *error*, if there is one."""
    return next((one for one in behind(error) if isinstance(one, ssl.SSLError)), None)


def tls_text(failure: ssl.SSLError) -> str:
    """What failed, in OpenSSL's words: they name hosts and no secret."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({failure.verify_message.rstrip('.')})"
    return f"TLS failed ({failure.reason or type(failure).__name__})"


def tls_remedy(failure: ssl.SSLError, *, ca_setting: str) -> str:
    """What to do about it. *ca_setting* names the authorities that are believed."""
    if not isinstance(failure, ssl.SSLCertVerificationError):
        return "look whether this port speaks TLS, and whether it wants a client certificate"
    if failure.verify_code in _EXPIRED:
        return "renew the certificate, and look at the clocks"
    if failure.verify_code in _OTHER_NAME:
        return "connect by a name that stands in the certificate"
    return f"name the authority that signed it in {ca_setting}"
