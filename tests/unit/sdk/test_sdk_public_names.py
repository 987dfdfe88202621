"""What the package promises to keep: its names, its docstrings, its silence."""

import inspect
import subprocess
import sys

import pytest

import imbi_sdk

PUBLIC = """
    ActionDescriptor ActionError ActionNotFoundError AnalysisPlugin AnalysisResultItem
    AnalysisResultStatus AuthorizationRequest CheckStatus Commit CompareResult ConfigKey
    ConfigKeyWithValue ConfigValue ConfigurationError ConfigurationPlugin ConnectionPlugin
    CredentialField CursorExpiredError DataType DeploymentEventStatus DeploymentPlugin
    DeploymentRun Graph GraphUnavailable IdentityAuthorizationExpired
    IdentityAuthorizationPending IdentityCredentials IdentityPlugin IdentityProfile
    IncidentResult IncidentView IncidentsPlugin JsonPointer LifecyclePlugin LifecycleResult
    LinkWriteback LoadResult LogEntry LogFilter LogHistogramBucket LogQuery LogResult LogsPlugin
    OpsLogTemplate PermanentError PluginAuthenticationFailed PluginConfigurationConflict
    PluginContext PluginCredentialsMissing PluginEdgeLabel PluginIndex PluginManifest
    PluginNotFoundError PluginOption PluginRateLimited PluginRecord PluginRecordMissing
    PluginRemediationNotSupported PluginSchemaCollisionError PluginTimeoutError PluginType
    PluginUnavailableError PluginVertexLabel PollingDescriptor Ref RefInfo RegistryEntry
    ReleaseInfo RelocationTarget RemediationOffer RemediationResult RemoteDeployment
    RetryableError ServiceApplicationRecord ServiceConnection ServicePlugin ServiceWriteback
    Skip UpstreamError WebhookActionCallable WebhookActionPlugin WorkflowFile action catalogue
    expand_template find_action get_plugin get_plugin_configuration_keys get_plugin_credentials
    list_plugins load_plugins patch_plugin_configuration raise_for_status reload_plugins
    validate_no_collisions validate_template
"""


def test_the_public_names_are_frozen() -> None:
    """A name that is added or lost is a decision, and this list is where it shows."""
    assert sorted(imbi_sdk.__all__) == sorted(PUBLIC.split())


@pytest.mark.parametrize("name", sorted(imbi_sdk.__all__))
def test_every_public_name_is_there(name: str) -> None:
    """And what is a class or a function says what it is for."""
    found = getattr(imbi_sdk, name)
    if inspect.isclass(found) or inspect.isfunction(found):
        own = found.__dict__.get("__doc__") if inspect.isclass(found) else found.__doc__
        assert own
        assert found.__module__.startswith("imbi_sdk.")


def test_importing_the_sdk_reads_no_environment_and_drags_nothing_in() -> None:
    """No client, no driver, no import path of Imbi's, no variable asked for."""
    script = (
        "import os, sys\n"
        "asked = []\n"
        "class Watched(type(os.environ)):\n"
        "    def __getitem__(self, key):\n"
        "        asked.append(key)\n"
        "        return super().__getitem__(key)\n"
        "os.environ.__class__ = Watched\n"
        "import imbi_sdk\n"
        "heavy = {'redis', 'arq', 'neo4j', 'aiohttp', 'structlog', 'typer', 'imbi_worker'}\n"
        "print(sorted(heavy & set(sys.modules)), [k for k in asked if 'IMBI' in k],\n"
        "      [n for n in sys.modules if n.startswith('imbi_common')],\n"
        "      [f for f in sys.meta_path if type(f).__module__.startswith('imbi_sdk')])\n"
    )
    done = subprocess.run(  # noqa: S603 - a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[0] == "[] [] [] []"
