"""There is no switch that gets a trade past a gate, nothing that patches what runs, and one source of nonces."""

import argparse
import ast
import re
from collections.abc import Iterator

from bot.diagnostics.command_line import Commands
from bot.diagnostics.commands import parser
from bot.settings.env_source import KNOWN_VARIABLES
from bot.settings.model import OperatorSettings
from bot.settings.origins import dotted, leaves
from tests.checks.forbidden_calls import ROOT

WAY_AROUND = re.compile(
    r"force|bypass|override|unsafe|skip_?(check|limit|gate)|ignore_?(limit|error|gate)|no_?(limit|check)s?\b"
)
SOURCES = sorted((ROOT / "bot").rglob("*.py"))


def options() -> Iterator[str]:
    """Of every command."""
    made = parser()
    commands: Commands = next(a for a in made._actions if isinstance(a, argparse._SubParsersAction))
    for name in commands.choices:
        declared = commands.declare(name)  # type: ignore[attr-defined]
        yield from (option for action in declared._actions for option in action.option_strings)


def test_no_option_setting_or_variable_gets_a_trade_past_a_gate() -> None:
    named = {*options(), *(dotted(location) for location, _, _ in leaves(OperatorSettings())), *KNOWN_VARIABLES}
    assert len(named) > 250
    assert [name for name in sorted(named) if WAY_AROUND.search(name.lower().replace("-", "_"))] == []


def test_what_would_be_such_a_way_is_seen() -> None:
    for name in ("force_trade", "risk.bypass_limits", "no_limits", "skip_checks", "NIJA_OVERRIDE"):
        assert WAY_AROUND.search(name.lower())


# -- nothing is patched while it runs ---------------------------------------------------------------------------------
def patched(source: str) -> list[str]:
    """`name.attribute = …` and `setattr(name, …)` of what was imported; hooks are there to be set."""
    tree = ast.parse(source)
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    set_here = [target for node in ast.walk(tree) for target in targets_of(node)]
    return [
        ast.unparse(target)
        for target in set_here
        if isinstance(target.value, ast.Name) and target.value.id in imported and not target.attr.endswith("hook")
    ]


def targets_of(node: ast.AST) -> list[ast.Attribute]:
    """The attributes that a statement sets, or `setattr` does."""
    if isinstance(node, ast.Assign):
        return [target for target in node.targets if isinstance(target, ast.Attribute)]
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target] if isinstance(node.target, ast.Attribute) else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        return [ast.Attribute(node.args[0], ast.unparse(node.args[1]))]
    return []


def test_a_patch_is_seen() -> None:
    assert patched("import requests\nrequests.get = 1") == ["requests.get"]
    assert patched("from bot.app import Bot\nsetattr(Bot, NAME, 1)") == ["Bot.NAME"]
    assert patched("import x, sys\nself.x = 1\ny.x = 2\nsys.excepthook = x.told") == []


def test_no_module_or_class_is_patched_while_it_runs() -> None:
    found = {str(path.relative_to(ROOT)): patched(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert len(found) > 300
    assert {name: what for name, what in found.items() if what} == {}


# -- nonces -----------------------------------------------------------------------------------------------------------
def test_one_class_gives_out_nonces_and_one_place_asks_it() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "bot/brokers/kraken").glob("*.py")}
    gives = [name for name, text in sources.items() if re.search(r"^    def next\(self\) -> int:", text, re.MULTILINE)]
    asks = {name for name, text in sources.items() if re.search(r"nonces?\.next\(\)", text)}
    assert gives == ["nonce.py"]
    assert len(asks) == 1, asks
