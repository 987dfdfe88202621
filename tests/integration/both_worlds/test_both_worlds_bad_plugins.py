"""Plugins that hang, that end the process, that break: named, and no harm to the others."""

import pytest
from installation import Installation

HANGS = "import time\ntime.sleep(3600)\n"
LOAD = """
import time
from datetime import timedelta
import imbi_sdk
from imbi_sdk import load_plugins, reload_plugins
"""


def test_a_module_that_never_ends_is_left_behind(site: Installation) -> None:
    """The others load, and the process ends as if nothing were."""
    site.add("imbi-plugin-hangs", "1", {"plugin_hangs.py": HANGS}, {"hangs": "plugin_hangs:P"})
    loaded, errors, skipped = site.run(LOAD, "told = load_plugins(within=timedelta(seconds=0.5))\n")
    assert (loaded, skipped) == (["tickets"], [])
    assert errors["hangs"].startswith("it did not import within 0.5 s")


def test_a_package_that_hangs_is_waited_for_once(site: Installation) -> None:
    """Not once for each of its plugins, and not again at a reload."""
    modules = {"plugin_hangs/__init__.py": HANGS} | {
        f"plugin_hangs/part{n}.py": "" for n in range(5)
    }
    plugins = {f"hangs-{n}": f"plugin_hangs.part{n}:P" for n in range(5)}
    site.add("imbi-plugin-hangs", "1", modules, plugins)
    told = site.run(
        LOAD,
        """
        limit = timedelta(seconds=2)
        begun = time.monotonic()
        first, second = load_plugins(within=limit), reload_plugins(within=limit)
        told = [time.monotonic() - begun, first, second]
        """,
    )
    took, first, second = told
    assert took < 4
    assert first[0] == second[0] == ["tickets"]
    again = "the import of plugin_hangs began earlier and has not ended; mend it and restart"
    assert sorted(first[1]) == sorted(second[1]) == sorted(plugins)
    assert list(first[1].values()).count(again) == 4
    assert set(second[1].values()) == {again}


def test_other_parts_of_a_package_with_a_hanging_one_load(site: Installation) -> None:
    """Only what the hanging import holds is refused."""
    good = (site.root / "plugin_tickets.py").read_text().replace('slug="tickets"', 'slug="part"')
    modules = {
        "plugin_parts/__init__.py": "",
        "plugin_parts/hangs.py": HANGS,
        "plugin_parts/good.py": good.replace("plugin_tickets:", "plugin_parts.good:"),
    }
    plugins = {"a": "plugin_parts.hangs:P", "b": "plugin_parts.good:Tickets"}
    site.add("imbi-plugin-parts", "1", modules, plugins)
    loaded, errors, _ = site.run(LOAD, "told = load_plugins(within=timedelta(seconds=1))\n")
    assert sorted(loaded) == ["part", "tickets"]
    assert list(errors) == ["a"]


def test_a_plugin_that_hangs_in_its_catalogue_is_left_behind(site: Installation) -> None:
    """Actions are often imported no earlier than there."""
    source = (site.root / "plugin_tickets.py").read_text().replace('slug="tickets"', 'slug="slow"')
    source = source.replace("plugin_tickets:act", "plugin_slow_actions:act")
    modules = {"plugin_slow.py": source, "plugin_slow_actions.py": HANGS}
    site.add("imbi-plugin-slow", "1", modules, {"slow": "plugin_slow:Tickets"})
    loaded, errors, _ = site.run(LOAD, "told = load_plugins(within=timedelta(seconds=1))\n")
    assert loaded == ["tickets"]
    assert errors["slow"].startswith("it did not import within 1 s")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys\nsys.exit('bye')\n", "its import called sys.exit('bye')"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def broken(:\n", "invalid syntax (plugin_bad.py, line 1)"),
        ("import no_such_module_4f1d\n", "No module named 'no_such_module_4f1d'"),
        ("P = 7\n", "Missing or invalid manifest attribute"),
        ("", "module 'plugin_bad' has no attribute 'P'"),
        ("def f():\n    f()\nf()\n", "maximum recursion depth exceeded"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(
    site: Installation, source: str, reason: str
) -> None:
    """`imbi-worker plugins list` goes on, says why, and exits with 1."""
    site.add("imbi-plugin-bad", "1", {"plugin_bad.py": source}, {"bad": "plugin_bad:P"})
    code, out, err = site.command("plugins", "list", "--json")
    assert code == 1, err
    assert reason in out
    assert '"tickets"' in out
