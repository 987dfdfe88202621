"""Why Redis does not answer, for the text of an error."""

from redis.exceptions import AuthenticationError

from imbi_sdk.connecting import behind, tls_failure, tls_remedy, tls_text


def reason(error: BaseException, *, ca_setting: str = "ssl_ca_certs of the client") -> str:
    """The kind of *error*, or what is wrong with its login or with TLS; no secret stands in it."""
    failure = tls_failure(error)
    if failure is not None:
        return f"{tls_text(failure)}; {tls_remedy(failure, ca_setting=ca_setting)}"
    for one in behind(error):
        if isinstance(one, AuthenticationError):
            return f"it refuses the login: {one}"
    return type(error).__name__
