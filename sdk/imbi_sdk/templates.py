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
    """Refuse the first placeholder that is not in the whitelist.

    :raises ValueError: names it, and those that are allowed
    """
    for name in _PLACEHOLDER.findall(template):
        if name not in _ALLOWED:
            raise ValueError(f"Unknown template variable ${{{name}}}; allowed: {sorted(_ALLOWED)}")


def expand_template(template: str, variables: Mapping[str, str | None]) -> str:
    """Fill the placeholders; a value that is absent or None leaves nothing.

    :raises ValueError: as `validate_template`, which comes first
    """
    validate_template(template)
    return _PLACEHOLDER.sub(lambda found: variables.get(found[1]) or "", template)
