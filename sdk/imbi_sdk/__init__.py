"""The Imbi plugin system: what plugin authors and hosts import."""

from imbi_sdk.actions import (
    action,
    catalogue,
)
from imbi_sdk.analysis import (
    AnalysisPlugin,
    AnalysisResultItem,
    AnalysisResultStatus,
    RemediationOffer,
    RemediationResult,
)
from imbi_sdk.configuration import (
    ConfigKey,
    ConfigKeyWithValue,
    ConfigurationPlugin,
    ConfigValue,
)
from imbi_sdk.connection import (
    ConnectionPlugin,
)
from imbi_sdk.context import (
    LinkWriteback,
    PluginContext,
    ServiceConnection,
    ServicePlugin,
    ServiceWriteback,
)
from imbi_sdk.credentials import (
    get_plugin_configuration_keys,
    get_plugin_credentials,
    patch_plugin_configuration,
)
from imbi_sdk.deployment import (
    CheckStatus,
    Commit,
    CompareResult,
    DeploymentEventStatus,
    DeploymentPlugin,
    DeploymentRun,
    Ref,
    RefInfo,
    ReleaseInfo,
    RemoteDeployment,
    WorkflowFile,
)
from imbi_sdk.errors import (
    ActionError,
    ActionNotFoundError,
    ConfigurationError,
    CursorExpiredError,
    GraphUnavailable,
    IdentityAuthorizationExpired,
    IdentityAuthorizationPending,
    PermanentError,
    PluginAuthenticationFailed,
    PluginConfigurationConflict,
    PluginCredentialsMissing,
    PluginNotFoundError,
    PluginRateLimited,
    PluginRecordMissing,
    PluginRemediationNotSupported,
    PluginSchemaCollisionError,
    PluginTimeoutError,
    PluginUnavailableError,
    RetryableError,
    Skip,
    UpstreamError,
)
from imbi_sdk.graph import (
    Graph,
    PluginRecord,
    ServiceApplicationRecord,
)
from imbi_sdk.identity import (
    AuthorizationRequest,
    IdentityCredentials,
    IdentityProfile,
    PollingDescriptor,
)
from imbi_sdk.identity_plugin import (
    IdentityPlugin,
)
from imbi_sdk.incidents import (
    IncidentResult,
    IncidentsPlugin,
    IncidentView,
)
from imbi_sdk.json_pointer import (
    JsonPointer,
)
from imbi_sdk.lifecycle import (
    LifecyclePlugin,
    LifecycleResult,
    RelocationTarget,
)
from imbi_sdk.logs import (
    LogEntry,
    LogFilter,
    LogHistogramBucket,
    LogQuery,
    LogResult,
    LogsPlugin,
)
from imbi_sdk.manifest import (
    CredentialField,
    DataType,
    OpsLogTemplate,
    PluginEdgeLabel,
    PluginIndex,
    PluginManifest,
    PluginOption,
    PluginType,
    PluginVertexLabel,
)
from imbi_sdk.registry import (
    LoadResult,
    RegistryEntry,
    find_action,
    get_plugin,
    list_plugins,
    load_plugins,
    reload_plugins,
)
from imbi_sdk.responses import (
    raise_for_status,
)
from imbi_sdk.schemas import (
    validate_no_collisions,
)
from imbi_sdk.templates import (
    expand_template,
    validate_template,
)
from imbi_sdk.webhook import (
    ActionDescriptor,
    WebhookActionCallable,
    WebhookActionPlugin,
)

__all__ = [
    "ActionDescriptor",
    "ActionError",
    "ActionNotFoundError",
    "AnalysisPlugin",
    "AnalysisResultItem",
    "AnalysisResultStatus",
    "AuthorizationRequest",
    "CheckStatus",
    "Commit",
    "CompareResult",
    "ConfigKey",
    "ConfigKeyWithValue",
    "ConfigValue",
    "ConfigurationError",
    "ConfigurationPlugin",
    "ConnectionPlugin",
    "CredentialField",
    "CursorExpiredError",
    "DataType",
    "DeploymentEventStatus",
    "DeploymentPlugin",
    "DeploymentRun",
    "Graph",
    "GraphUnavailable",
    "IdentityAuthorizationExpired",
    "IdentityAuthorizationPending",
    "IdentityCredentials",
    "IdentityPlugin",
    "IdentityProfile",
    "IncidentResult",
    "IncidentView",
    "IncidentsPlugin",
    "JsonPointer",
    "LifecyclePlugin",
    "LifecycleResult",
    "LinkWriteback",
    "LoadResult",
    "LogEntry",
    "LogFilter",
    "LogHistogramBucket",
    "LogQuery",
    "LogResult",
    "LogsPlugin",
    "OpsLogTemplate",
    "PermanentError",
    "PluginAuthenticationFailed",
    "PluginConfigurationConflict",
    "PluginContext",
    "PluginCredentialsMissing",
    "PluginEdgeLabel",
    "PluginIndex",
    "PluginManifest",
    "PluginNotFoundError",
    "PluginOption",
    "PluginRateLimited",
    "PluginRecord",
    "PluginRecordMissing",
    "PluginRemediationNotSupported",
    "PluginSchemaCollisionError",
    "PluginTimeoutError",
    "PluginType",
    "PluginUnavailableError",
    "PluginVertexLabel",
    "PollingDescriptor",
    "Ref",
    "RefInfo",
    "RegistryEntry",
    "ReleaseInfo",
    "RelocationTarget",
    "RemediationOffer",
    "RemediationResult",
    "RemoteDeployment",
    "RetryableError",
    "ServiceApplicationRecord",
    "ServiceConnection",
    "ServicePlugin",
    "ServiceWriteback",
    "Skip",
    "UpstreamError",
    "WebhookActionCallable",
    "WebhookActionPlugin",
    "WorkflowFile",
    "action",
    "catalogue",
    "expand_template",
    "find_action",
    "get_plugin",
    "get_plugin_configuration_keys",
    "get_plugin_credentials",
    "list_plugins",
    "load_plugins",
    "patch_plugin_configuration",
    "raise_for_status",
    "reload_plugins",
    "validate_no_collisions",
    "validate_template",
]
