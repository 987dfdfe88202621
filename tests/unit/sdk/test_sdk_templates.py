"""Search templates."""

import pytest

from imbi_sdk import expand_template, validate_template


def test_known_variables_are_filled() -> None:
    """Each placeholder of the whitelist may stand in a template."""
    names = [
        "environment",
        "org_slug",
        "project_id",
        "project_slug",
        "project_type_slug",
        "team_slug",
    ]
    template = " ".join(f"${{{name}}}" for name in names)
    assert expand_template(template, {name: name.upper() for name in names}) == " ".join(
        name.upper() for name in names
    )


def test_an_absent_value_leaves_nothing() -> None:
    """None and a name that is not given are the same."""
    assert expand_template("[${project_slug}|${environment}]", {"project_slug": None}) == "[|]"


def test_an_unknown_variable_is_refused_by_both() -> None:
    """Nothing outside the whitelist gets into a query, given or not."""
    with pytest.raises(ValueError, match=r"Unknown template variable \$\{secret\}; allowed: \["):
        validate_template("service:${secret}")
    with pytest.raises(ValueError, match="Unknown template variable"):
        expand_template("${secret}", {"secret": "x"})


def test_a_value_is_not_expanded_again() -> None:
    """A value that looks like a placeholder stays a value."""
    assert expand_template("${project_slug}", {"project_slug": "${org_slug}"}) == "${org_slug}"


def test_other_texts_stay_as_they_are() -> None:
    """Only ``${name}`` is a placeholder."""
    assert expand_template("$project_slug {org_slug} $ {}", {}) == "$project_slug {org_slug} $ {}"
