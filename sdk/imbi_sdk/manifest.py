"""What a plugin declares about itself."""

from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, Field, field_validator, model_validator

PluginType: TypeAlias = Literal[
    "configuration",
    "logs",
    "identity",
    "deployment",
    "lifecycle",
    "webhook",
    "analysis",
    "incidents",
    "connection",
]
AuthType: TypeAlias = Literal["api_token", "oauth2", "oidc", "aws-iam-ic"]
OptionType: TypeAlias = Literal["string", "integer", "boolean", "secret", "mapping"]
LifecycleEvent: TypeAlias = Literal[
    "created", "updated", "archived", "unarchived", "deleted", "relocated"
]


class PluginOption(BaseModel):
    """A value an operator may set on the plugin; not a credential."""

    name: str
    label: str
    description: str | None = None
    type: OptionType = "string"
    required: bool = False
    default: str | int | bool | dict[str, str] | None = None
    choices: list[str] | None = None

    @model_validator(mode="after")
    def _mapping_is_consistent(self) -> Self:
        if self.type != "mapping":
            if isinstance(self.default, dict):
                raise ValueError("a dict default is allowed only for type 'mapping'")
            return self
        if self.choices is not None:
            raise ValueError("an option of type 'mapping' cannot have choices")
        if self.default is not None and not isinstance(self.default, dict):
            raise ValueError("the default of an option of type 'mapping' must be a dict")
        return self


class CredentialField(BaseModel):
    """A secret the plugin needs, kept encrypted in the graph."""

    name: str
    label: str
    description: str | None = None
    required: bool = True


class DataType(BaseModel):
    """A kind of value a configuration plugin can store."""

    name: str
    label: str
    secret: bool = False


class PluginIndex(BaseModel):
    """An index on the properties of a vertex label."""

    fields: list[str] = Field(min_length=1)
    unique: bool = False

    @field_validator("fields")
    @classmethod
    def _no_blank_field(cls, fields: list[str]) -> list[str]:
        if any(not field.strip() for field in fields):
            raise ValueError("an index field must not be blank")
        return fields


class PluginVertexLabel(BaseModel):
    """A vertex label the plugin adds to the graph; *model_ref* reads ``module:Class``."""

    name: str
    indexes: list[PluginIndex] = []
    model_ref: str
    display_name: str | None = None
    description: str | None = None
    nav_label: str | None = None


class PluginEdgeLabel(BaseModel):
    """An edge label the plugin adds to the graph."""

    name: str
    from_labels: list[str]
    to_labels: list[str]
    properties: dict[str, str] = {}


class OpsLogTemplate(BaseModel):
    """How an entry of the operations log reads."""

    label: str
    summary: str | None = None


class PluginManifest(BaseModel):
    """The identity, the needs and the abilities of a plugin."""

    slug: str
    name: str
    description: str | None = None
    plugin_type: PluginType
    auth_type: AuthType = "api_token"
    api_version: int = 1
    cacheable: bool = True
    supports_histogram: bool = False
    supports_deployment_sync: bool = False
    supports_lifecycle_sync: bool = False
    login_capable: bool = False
    requires_identity: bool = False
    default_scopes: list[str] = []
    options: list[PluginOption] = []
    credentials: list[CredentialField] = []
    data_types: list[DataType] = []
    vertex_labels: list[PluginVertexLabel] = []
    edge_labels: list[PluginEdgeLabel] = []
    widget_text: str | None = None
    ops_log_templates: dict[str, OpsLogTemplate] = {}
    lifecycle_events: list[LifecycleEvent] = ["archived", "unarchived"]
