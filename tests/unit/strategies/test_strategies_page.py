"""docs/strategies.md tells what the code has, and its example stands every trial."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from bot.diagnostics.strategy_check import StrategyCheck
from bot.diagnostics.strategy_markets import made_markets
from bot.domain.money import plain
from bot.strategies.interface import Parameter
from bot.strategies.loading import SHIPPED, load_strategy

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")


def row(parameter: Parameter) -> str:
    default, lowest, highest = (
        plain(Decimal(value)) for value in (parameter.default, parameter.minimum, parameter.maximum)
    )
    return f"| `{parameter.name}` | {default} | {lowest} to {highest} | {parameter.unit} | {parameter.description} |"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_has_every_parameter_of_every_shipped_strategy(name: str) -> None:
    section = re.split(r"^##", PAGE.split(f"\n### {name}", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    listed = re.findall(r"^\| `.*$", section, re.MULTILINE)
    assert listed == [row(parameter) for parameter in load_strategy(name, {}).parameters]


def test_the_page_names_every_trial_and_its_example_stands_them(tmp_path: Path) -> None:
    example = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    file = tmp_path / "calm.py"
    file.write_text(example.group(1))
    check = StrategyCheck(lambda: load_strategy(str(file), {}), made_markets(250))
    trials = list(check.trials())
    assert [trial for trial in trials if not trial.passed] == []
    assert "0 entries" not in trials[1].detail
    assert all(f"| {trial.name} |" in PAGE for trial in trials)
