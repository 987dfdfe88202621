"""Sources of the packages that the tests install. Every line is our own."""

_ACT = '''
    class Config(BaseModel):
        note: str = ""
        error: str = ""


    async def act(*, ctx, credentials, external_identifier, action_config, event) -> None:
        """Note what was given, or raise what the config asks for."""
        if action_config.note:
            told = {
                "context": type(ctx).__module__,
                "project": ctx.project_id,
                "resolver": ctx.resolve_user_by_identity is not None,
                "options": sorted(ctx.assignment_options),
                "credentials": sorted(credentials),
                "event": event,
            }
            pathlib.Path(action_config.note).write_text(json.dumps(told))
        if action_config.error == "PluginRateLimited":
            raise errors.PluginRateLimited(4102444800.0)
        if action_config.error:
            raise getattr(errors, action_config.error)("as asked")
'''

_CLASS = """
    class {name}(base.WebhookActionPlugin):
        manifest = base.PluginManifest(
            slug="{slug}",
            name="{name}",
            plugin_type="webhook",
            credentials=[base.CredentialField(name="api_token", label="Token", required=False)],
        )

        @classmethod
        def actions(cls):
            return [
                base.ActionDescriptor(
                    name="act",
                    label="Act",
                    callable="{module}:act",
                    config_model="{module}:Config",
                )
            ]
"""

_IMPORTS = """
    import json
    import pathlib

    from pydantic import BaseModel
"""

THEIRS = {
    "plugin_theirs.py": _IMPORTS
    + """
    from imbi_common.plugins import base, errors
"""
    + _ACT
    + _CLASS.format(name="Theirs", slug="theirs", module="plugin_theirs")
}
OURS = {
    "plugin_ours.py": _IMPORTS
    + """
    import imbi_sdk as base
    from imbi_sdk import errors
"""
    + _ACT
    + _CLASS.format(name="Ours", slug="ours", module="plugin_ours")
}
TICKETS = {
    "plugin_tickets.py": _IMPORTS
    + """
    import imbi_sdk as base
    from imbi_sdk import errors
"""
    + _ACT
    + _CLASS.format(name="Tickets", slug="tickets", module="plugin_tickets")
}

IMBI_COMMON = {
    "imbi_common/__init__.py": "",
    "imbi_common/plugins/__init__.py": """
        from imbi_common.plugins import registry
    """,
    "imbi_common/plugins/errors.py": """
        class PluginRateLimited(Exception):
            def __init__(self, retry_at, message=""):
                super().__init__(message)
                self.retry_at = retry_at


        class PluginAuthenticationFailed(Exception):
            pass


        class PluginUnavailableError(Exception):
            pass


        class PluginTimeoutError(Exception):
            pass


        class PluginCredentialsMissing(Exception):
            pass


        class PluginNotFoundError(Exception):
            pass


        class QuotaUsedUp(PluginUnavailableError):
            pass
    """,
    "imbi_common/plugins/base.py": """
        import abc
        from collections.abc import Awaitable, Callable
        from typing import Any

        from pydantic import BaseModel, Field, ImportString


        class CredentialField(BaseModel):
            name: str
            label: str
            required: bool = True


        class PluginManifest(BaseModel):
            slug: str
            name: str
            plugin_type: str
            api_version: int = 1
            credentials: list[CredentialField] = []


        class ServicePlugin(BaseModel):
            slug: str
            options: dict[str, Any] = {}


        class PluginContext(BaseModel):
            project_id: str
            project_slug: str
            org_slug: str
            assignment_options: dict[str, Any] = {}
            service_plugins: list[ServicePlugin] = []
            resolve_user_by_identity: Callable[[str], Awaitable[str | None]] | None = Field(
                default=None, exclude=True, repr=False
            )


        class ActionDescriptor(BaseModel):
            name: str
            label: str
            callable: ImportString[Callable[..., Awaitable[None]]]
            config_model: ImportString[type[BaseModel]]


        class WebhookActionPlugin(abc.ABC):
            @classmethod
            @abc.abstractmethod
            def actions(cls): ...
    """,
    "imbi_common/plugins/registry.py": """
        import dataclasses
        import threading
        from typing import Any


        @dataclasses.dataclass(frozen=True)
        class RegistryEntry:
            handler_cls: type
            manifest: Any
            package_name: str
            package_version: str


        _lock = threading.RLock()
        _registry = {}


        def get_plugin(slug):
            return _registry[slug]
    """,
}
