"""The licence of each package, and which of them we take.

A package states its licence as an SPDX expression, in words of its own, or as a classifier; here
all become SPDX. What none of them tells was read from the licence text in the package.
"""

from importlib import metadata
from typing import Any, Final

from license_expression import ExpressionError, get_spdx_licensing

from supply_chain.lock import Pin

# Asks for no more than the notices that the packages carry with them.
PERMISSIVE: Final = frozenset(
    {"MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0", "Python-2.0"}
)
# Copyleft that we take all the same: package, licence, why it does no harm.
TAKEN: Final = {
    ("certifi", "MPL-2.0"): "a list of certificates, used as it is; only with the extra otel."
    " The MPL asks for the source of changed files of the package itself, and none is changed.",
    ("pathspec", "MPL-2.0"): "builds our wheels and is in no image.",
}
# Stated in the licence text of the package alone, or by one that most machines do not install.
_READ: Final = {
    "async-timeout": "Apache-2.0",
    "cel-python": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "google-re2": "BSD-3-Clause",
}
_WORDS: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_SPDX: Final[Any] = get_spdx_licensing()


class UnknownLicence(Exception):  # noqa: N818 - reads as what it is at the call
    """A package whose licence nobody has looked at; the text says what to do."""


def licence_of(pin: Pin) -> str:
    """An SPDX expression.

    :raises UnknownLicence: the package states none that is known here
    """
    if pin.name in _READ:
        return _READ[pin.name]
    for words in _stated(pin.name):
        expression = _WORDS.get(words, words)
        if _is_spdx(expression):
            return expression
    raise UnknownLicence(
        f"{pin.name} {pin.version} states no licence that is known: read the text it comes with and"
        " add it to deploy/supply_chain/licences.py"
    )


def objection(pin: Pin) -> str | None:
    """Why the package cannot be taken, or None."""
    expression = licence_of(pin)
    if (pin.name, expression) in TAKEN or _is_permissive(_SPDX.parse(expression)):
        return None
    return (
        f"{pin.name} is under {expression}, which is not among the permissive licences: leave it"
        " out, or say in TAKEN of deploy/supply_chain/licences.py why it does no harm"
    )


def _stated(name: str) -> list[str]:
    """What a package says of its licence, the exactest first."""
    about = metadata.metadata(name)
    words = [*(about.get_all("License-Expression") or []), *(about.get_all("License") or [])]
    classifiers: list[str] = about.get_all("Classifier") or []
    return words + [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License")]


def _is_spdx(expression: str) -> bool:
    try:
        return not _SPDX.validate(expression).errors
    except ExpressionError:
        return False


def _is_permissive(parsed: Any) -> bool:
    if isinstance(parsed, _SPDX.OR):
        return any(_is_permissive(part) for part in parsed.args)
    if isinstance(parsed, _SPDX.AND):
        return all(_is_permissive(part) for part in parsed.args)
    return str(parsed) in PERMISSIVE
