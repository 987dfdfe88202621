"""Search templates: ``${name}`` stands for a fact about the project."""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
_ALLOWED = frozenset(
    {
        "environment",
        "org_slug",
        "project_id",
        "project_slug",
        "project_type_slug",
        "team_slug",
    }
)


def validate_template(template: str) -> None:
    """Raise ValueError at the first placeholder that is not in the whitelist."""
    for name in _PLACEHOLDER.findall(template):
        if name not in _ALLOWED:
            raise ValueError(f"Unknown template variable ${{{name}}}; allowed: {sorted(_ALLOWED)}")


def expand_template(template: str, variables: Mapping[str, str | None]) -> str:
    """Fill the placeholders; a value that is absent or None leaves nothing.

    The template is validated first.
    """
    validate_template(template)
    return _PLACEHOLDER.sub(lambda found: variables.get(found[1]) or "", template)
