"""Where no imbi-common is installed: Imbi's paths lead to the SDK, and to one state."""

from installation import Installation

LOAD = """
import imbi_sdk
result = imbi_sdk.load_plugins()
"""


def test_a_plugin_written_for_imbi_loads_beside_one_of_ours(world_one: Installation) -> None:
    """One family of classes: theirs are ours."""
    told = world_one.run(
        LOAD,
        """
        import imbi_common.plugins, imbi_common.plugins.base, imbi_sdk
        told = [
            result,
            imbi_common.plugins.WebhookActionPlugin is imbi_sdk.WebhookActionPlugin,
            imbi_common.plugins.base.PluginContext is imbi_sdk.PluginContext,
            imbi_sdk.get_plugin("theirs").package_name,
            imbi_sdk.get_plugin("theirs").package_version,
        ]
        """,
    )
    loaded = [["theirs", "ours"], {}, []]
    assert sorted(told[0][0]) == sorted(loaded[0])
    assert told[0][1:] == loaded[1:]
    assert told[1:] == [True, True, "imbi-plugin-theirs", "2.11.5"]


def test_who_pokes_the_registry_pokes_the_one_in_use(world_one: Installation) -> None:
    """Hosts' tests put entries there by hand, under Imbi's path."""
    told = world_one.run(
        LOAD,
        """
        from imbi_common.plugins import registry
        entry = registry._registry["theirs"]
        with registry._lock:
            registry._registry.clear()
        told = [len(imbi_sdk.list_plugins())]
        registry._registry["by-hand"] = entry
        told += [imbi_sdk.get_plugin("by-hand") is entry]
        told += [imbi_sdk.find_action("by-hand", "act")[1].name]
        from imbi_worker.dispatch import InstalledPlugins
        told += [InstalledPlugins().find("by-hand#act").entry is entry]
        """,
    )
    assert told == [0, True, "act", True]


def test_settings_patched_under_imbis_path_are_the_ones_in_use(world_one: Installation) -> None:
    """By the SDK's encryption and by the worker's check before it starts."""
    told = world_one.run(
        """
        import imbi_sdk.compat
        from types import SimpleNamespace
        from unittest import mock
        from cryptography.fernet import Fernet
        import imbi_common.settings
        from imbi_common.auth.encryption import TokenEncryption
        from imbi_worker import wiring
        key = Fernet.generate_key().decode()
        made_up = SimpleNamespace(encryption_key=key)
        with mock.patch("imbi_common.settings.get_auth_settings", return_value=made_up) as asked:
            TokenEncryption.reset_instance()
            token = TokenEncryption.get_instance().encrypt("text")
            wiring.require_encryption_key()
            told = [Fernet(key).decrypt(token).decode(), asked.call_count]
        try:
            wiring.require_encryption_key()
        except Exception as error:
            told += [type(error).__name__]
        """
    )
    assert told == ["text", 2, "SettingsError"]


def test_loggers_have_imbis_names(world_one: Installation) -> None:
    """Log settings written for Imbi go on working."""
    told = world_one.run(
        """
        import logging
        import imbi_sdk
        imbi_sdk.load_plugins()
        told = sorted(n for n in logging.root.manager.loggerDict if n.startswith("imbi_common."))
        """
    )
    assert told == [
        "imbi_common.auth",
        "imbi_common.auth.encryption",
        "imbi_common.plugins",
        "imbi_common.plugins.credentials",
        "imbi_common.plugins.registry",
    ]


def test_a_plugin_that_needs_more_of_imbi_is_named_and_the_others_serve(
    world_one: Installation,
) -> None:
    """The list says which module, which package, and how to install it."""
    for number, statement in enumerate(
        (
            "from imbi_common import clickhouse",
            "from imbi_common.models import CommitRecord",
        )
    ):
        module = f"plugin_needy_{number}"
        world_one.add(
            f"imbi-plugin-needy-{number}",
            "2.11.5",
            {f"{module}.py": statement},
            {f"needy-{number}": f"{module}:Plugin"},
        )
    code, out, err = world_one.command("plugins", "list", "--json")
    assert code == 1, err
    assert out.count('"status": "loaded"') + out.count('"status":"loaded"') >= 3
    for path in ("imbi_common.clickhouse", "imbi_common.models"):
        assert f"No module named '{path}': it is part of imbi-common" in out
    assert "pip install 'imbi-common[databases]==2.11.5'" in out
