"""Why Redis does not answer, for the text of an error."""

import errno
import os
import socket

from redis.exceptions import AuthenticationError

from imbi_sdk.connecting import behind, tls_failure, tls_remedy, tls_text


def reason(error: BaseException, *, ca_setting: str = "ssl_ca_certs of the client") -> str:
    """What the system, TLS or Redis says is wrong, or the kind of *error*; never a secret."""
    failure = tls_failure(error)
    if failure is not None:
        return f"{tls_text(failure)}; {tls_remedy(failure, ca_setting=ca_setting)}"
    for one in behind(error):
        if isinstance(one, AuthenticationError):
            return f"it refuses the login: {one}"
        if isinstance(one, socket.gaierror):
            return "no such host"
        if isinstance(one, OSError) and one.errno is not None and one.errno in errno.errorcode:
            return os.strerror(one.errno).lower()
    return type(error).__name__
