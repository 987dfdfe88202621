"""Where an API is: refused early, and without showing the token."""

import pytest
from pydantic import SecretStr

from imbi_sdk.errors import ConfigurationError, PermanentError, UpstreamError
from imbi_worker.identity import ApiAddress, ApiClient, Sessions
from imbi_worker.identity.reply import Reply


def test_imbi_is_at_its_usual_address_by_default(canary: str) -> None:
    """Inside Imbi's cluster only the token has to be set."""
    address = ApiAddress.from_environment({"ACTIONS_IMBI_TOKEN": canary})
    assert address.url == "http://imbi-api:8000"
    assert address.token.get_secret_value() == canary


def test_the_environment_names_another_address(canary: str) -> None:
    """Space around a value, as a mounted file leaves it, is no part of it."""
    environment = {"ACTIONS_IMBI_URL": " https://imbi/api ", "ACTIONS_IMBI_TOKEN": f"{canary}\n"}
    address = ApiAddress.from_environment(environment)
    assert (address.url, address.token.get_secret_value()) == ("https://imbi/api", canary)


@pytest.mark.parametrize("environment", [{}, {"ACTIONS_IMBI_TOKEN": " "}])
def test_without_a_token_the_variable_is_named(environment: dict[str, str]) -> None:
    """The operator reads what to set."""
    with pytest.raises(ConfigurationError, match="ACTIONS_IMBI_TOKEN is not set"):
        ApiAddress.from_environment(environment)


@pytest.mark.parametrize("extra", ["a\nX-Evil: 1", "with space", "ü"])
def test_a_token_no_header_can_carry_is_refused_unseen(extra: str, canary: str) -> None:
    """A token that would split the header is a misconfiguration, told without its value."""
    with pytest.raises(ConfigurationError) as raised:
        ApiAddress("http://imbi", SecretStr(canary + extra))
    assert canary not in str(raised.value)
    assert "ACTIONS_IMBI_TOKEN" in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "imbi-api:8000",
        "ftp://imbi",
        "http://",
        "http://imbi:eight",
        "http://user:canary-4f1d-do-not-leak@imbi",
        "http://imbi?key=canary-4f1d-do-not-leak",
        "http://imbi#x",
    ],
)
def test_an_address_that_cannot_work_is_refused_unseen(url: str, canary: str) -> None:
    """An address may hide a password, so the text shows the setting and the form only."""
    with pytest.raises(ConfigurationError, match="ACTIONS_IMBI_URL must be http") as raised:
        ApiAddress(url, SecretStr("t"))
    assert canary not in str(raised.value)


def test_no_repr_shows_the_token(canary: str) -> None:
    """Neither the address nor the client gives it away."""
    address = ApiAddress("http://imbi", SecretStr(canary))
    assert canary not in repr(address) + repr(ApiClient(address, Sessions()))


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_a_path_segment_that_climbs_is_refused(segment: str) -> None:
    """``..`` as a project id must not reach another resource."""
    client = ApiClient(ApiAddress("http://imbi", SecretStr("t")), Sessions())
    with pytest.raises(PermanentError, match="cannot stand in a path"):
        await client.send("GET", "projects", segment)


async def test_a_number_json_cannot_write_is_permanent() -> None:
    """``1e999`` in a payload is read as infinity and could not be sent as JSON."""
    client = ApiClient(ApiAddress("http://imbi", SecretStr("t")), Sessions())
    with pytest.raises(PermanentError, match="too large for JSON"):
        await client.post("x", body={"value": float("inf")})


def test_an_answer_that_is_no_json_is_upstreams_fault(canary: str) -> None:
    """A proxy's page in place of Imbi's answer: later may be better. Its text stays out."""
    reply = Reply("GET", "http://imbi/users", 200, {}, f"<html>{canary}".encode())
    with pytest.raises(UpstreamError) as raised:
        reply.json()
    assert canary not in str(raised.value)
