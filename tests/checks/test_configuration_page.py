"""docs/configuration.md is what the command prints, and what it says of names, variables and defaults is so."""

import re
from pathlib import Path

from bot.diagnostics.config_reference import WITHOUT_SETTING, page, row_of, settings_with_examples
from bot.settings import load_settings
from bot.settings.env_source import BUILD_VARIABLES, KNOWN_VARIABLES, OWN_VARIABLES
from bot.settings.origins import dotted, leaves
from tests.checks.forbidden_calls import ROOT

COMMITTED = ROOT / "docs" / "configuration.md"
VARIABLE = re.compile(r"^#?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
EXAMPLE_USERS = ("DAIVON_FRAZIER", "TANIA_GILBERT")


def test_the_page_is_what_the_command_prints() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == page(), (
        "a setting has changed: python bot.py config reference > docs/configuration.md"
    )


def test_every_variable_of_the_page_sets_the_setting_beside_it(tmp_path: Path) -> None:
    rows = [row_of(leaf) for leaf in settings_with_examples()]
    given = {row["variable"]: row["default"].strip("[]") for row in rows if row["default"] not in ("null", "{}", '""')}
    environ = {**given, "DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing", "PAPER_EXCHANGE_TOKEN": "x" * 30}
    settings = load_settings(environ=environ, config_dir=tmp_path)
    index = next(str(i) for i, master in enumerate(settings.masters) if master.broker.value == "kraken")
    for row in rows:
        if row["variable"] in environ:
            name = row["name"].replace("masters.kraken.", f"masters.{index}.")
            assert row["variable"] in settings.origins[name].source, row["name"]


def test_every_setting_of_a_default_installation_is_on_the_page(tmp_path: Path) -> None:
    text = page()
    for location, _, _ in leaves(load_settings(environ={}, config_dir=tmp_path)):
        if location[0] in ("users", "origins", "exchanges", "masters"):
            continue
        assert f"| `{dotted(location)}` |" in text


def test_every_variable_that_something_reads_is_on_the_page() -> None:
    text = page()
    for name in {*KNOWN_VARIABLES, *WITHOUT_SETTING} - set(BUILD_VARIABLES[1:]):
        assert f"`{name}`" in text, f"{name}: say in bot/diagnostics/config_reference.py what it is"
    assert set(OWN_VARIABLES).isdisjoint(WITHOUT_SETTING)


def test_every_variable_of_the_example_is_on_the_page() -> None:
    text = page()
    for name in VARIABLE.findall((ROOT / ".env.example").read_text(encoding="utf-8")):
        for user in EXAMPLE_USERS:
            name = name.replace(user, "<NAME>")
        assert f"`{name}`" in text, f"{name} is in .env.example and not on the page"
