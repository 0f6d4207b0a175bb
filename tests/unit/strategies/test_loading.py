"""Strategies from names, dotted paths and files, and everything that can be wrong with them."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

import bot.strategies.interface as interface
from bot.domain.errors import ConfigurationError
from bot.strategies.asking import StrategyFault, ask_entry, ask_exit
from bot.strategies.interface import EntryIntent, MarketView, NoEntry
from bot.strategies.loading import load_strategy
from bot.strategies.parameters import Parameter, ParameterValues
from bot.strategies.rsi_trend import RsiTrend
from tests.unit.candles import candles_of
from tests.unit.strategies.test_rsi_trend import POSITION

PLAIN = """
from bot.strategies.interface import NoEntry, Parameter

class Plain:
    name = "plain"
    parameters = (Parameter("period", 3, 1, 9, "candles", "a length"),)
    candles_needed = 2
    def __init__(self, values): self.period = values.integer("period")
    def entry(self, view): {entry}
    def exit(self, view, position): {exit}
"""


def write(directory: Path, text: str, name: str = "mine.py") -> str:
    (directory / name).write_text(text)
    return name


def plain(entry: str = 'return NoEntry("never")', exit: str = "return None") -> str:
    return PLAIN.format(entry=entry, exit=exit)


@pytest.mark.parametrize(
    "plugin", ["rsi_trend", "bot.strategies.rsi_trend:RsiTrend", "bot.strategies.rsi_trend.RsiTrend"]
)
def test_a_name_and_both_dotted_forms_load_the_shipped_strategy(plugin: str) -> None:
    strategy = load_strategy(plugin, {"rsi_fast": "8", "overbought": "72.5"})
    assert isinstance(strategy, RsiTrend)


def test_the_example_of_the_documentation_works_as_printed(tmp_path: Path) -> None:
    text = interface.__doc__ or ""
    code = re.findall(r"^    .*$|^$", text, flags=re.MULTILINE)
    file = write(tmp_path, "\n".join(line[4:] for line in code))
    dip = load_strategy(file, {"oversold": 40}, directory=tmp_path)
    falling = candles_of([100 - i * 0.2 for i in range(80)])
    bought = ask_entry(dip, MarketView("BTC/USD", falling))
    assert isinstance(bought, EntryIntent) and bought.stop_loss_percent == 3
    rising = candles_of([100 + i * 0.2 for i in range(80)])
    answer = ask_entry(dip, MarketView("BTC/USD", rising))
    assert isinstance(answer, NoEntry) and answer.rule == "not_oversold"
    assert ask_exit(dip, MarketView("BTC/USD", rising), POSITION) is not None


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"rsi_fats": 9}, "no parameter 'rsi_fats'"),
        ({"rsi_fast": 1}, "between 2 and 100 candles"),
        ({"rsi_fast": "9.5"}, "must be a whole number"),
        ({"rsi_fast": "nine"}, "'nine' and must be a whole number"),
        ({"rsi_fast": True}, "must be a whole number"),
        ({"rsi_fast": None}, "must be a whole number"),
        ({"overbought": "NaN"}, "must be a number"),
        ({"overbought": float("inf")}, "must be a number"),
        ({"overbought": 101}, "between 50 and 100 RSI points"),
        ({"rsi_fast": 14}, "must be shorter than rsi_slow"),
        ({"ema_fast": 60}, "must be shorter than ema_slow"),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(parameters: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)) as caught:
        load_strategy("rsi_trend", parameters)
    assert all(problem.startswith("strategy rsi_trend: ") for problem in caught.value.problems)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_strategy("rsi_trend", {"rsi_fats": 9, "rsi_slow": "x", "overbought": 10})
    assert len(caught.value.problems) == 3


def test_values_come_as_the_declared_type_whatever_the_file_wrote() -> None:
    declared = (
        Parameter("period", 3, 1, 9, "candles", ""),
        Parameter("width", Decimal(1), Decimal(0), Decimal(9), "percent", ""),
    )
    for period, width in (("4", "1.5"), (4, 1.5), (Decimal(4), Decimal("1.5")), (" 4 ", "1.50"), (4.0, "1.5")):
        values = ParameterValues(declared, {"period": period, "width": width})
        assert values.as_dict() == {"period": 4, "width": Decimal("1.5")}
        assert type(values.integer("period")) is int
    with pytest.raises(TypeError, match="decimal"):
        values.integer("width")


def test_a_parameter_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="outside its own range"):
        Parameter("period", 30, 1, 9, "candles", "")
    with pytest.raises(ValueError, match="all int or all Decimal"):
        Parameter("period", 3, Decimal(1), 9, "candles", "")


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        ("rsi_trned", "the shipped ones are breakout, buy_and_hold, mean_reversion, rsi_trend"),
        ("", "the shipped ones are breakout, buy_and_hold, mean_reversion, rsi_trend"),
        ("no.such.module:Thing", "module no.such.module cannot be imported"),
        ("bot.strategies.rsi_trend:Nothing", "no class 'Nothing'"),
        ("bot.strategies.rsi_trend:Parameter", "lacks"),
        ("..x", "cannot be imported"),
        (":", "the shipped ones are"),
        ("missing.py", "does not exist"),
    ],
)
def test_a_strategy_that_is_not_there_is_named(plugin: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        load_strategy(plugin, {})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "no strategy class"),
        (plain().replace("def exit(self, view, position)", "def exit(self, view)"), "lacks exit(self, view, position)"),
        (plain().replace('name = "plain"', ""), "class Plain lacks name"),
        (plain() + plain().replace("class Plain", "class Other"), "several strategies"),
        (plain().replace("candles_needed = 2", "candles_needed = 0"), "candles_needed is 0"),
        (plain().replace("candles_needed = 2", ""), "candles_needed is None"),
        (plain().replace('values.integer("period")', "1 / 0"), "ZeroDivisionError"),
        (plain().replace('values.integer("period")', "values.missing"), "could not be made"),
        (
            plain().replace('(Parameter("period", 3, 1, 9, "candles", "a length"),)', '("period",)'),
            "tuple of Parameter",
        ),
        (plain().replace('"a length"),', '"a length"),) * 2 + ('), "period is declared twice"),
    ],
)
def test_a_broken_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        load_strategy(write(tmp_path, text), {}, directory=tmp_path)


def test_a_file_with_two_strategies_needs_the_name_of_one(tmp_path: Path) -> None:
    write(tmp_path, plain() + plain().replace("class Plain", "class Other").replace('"plain"', '"other"'))
    assert load_strategy("mine.py:Other", {}, directory=tmp_path).name == "other"


def test_a_file_may_have_dataclasses_with_annotations_as_text(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Two:\n    a: int\n"
    assert load_strategy(write(tmp_path, head + plain()), {}, directory=tmp_path).name == "plain"


VIEW = MarketView("BTC/USD", candles_of([1, 2, 3]))


@pytest.mark.parametrize(
    "body",
    [
        "return 1 / 0", "return None", "return 'buy'", "return view", "raise SystemExit(3)", "return NoEntry(None)",
        "return type('Bad', (), {'__repr__': lambda self: 1 / 0})()",
        "return NoEntry('x', rule='RSI is 31.5')", "return NoEntry('x', rule=['a'])",
    ],
)  # fmt: skip
def test_a_strategy_that_fails_on_an_entry_costs_only_its_answer(tmp_path: Path, body: str) -> None:
    answer = ask_entry(load_strategy(write(tmp_path, plain(entry=body)), {}, directory=tmp_path), VIEW)
    assert isinstance(answer, NoEntry) and answer.rule == "strategy_failed" and "plain" in answer.reason


def test_a_sentence_without_end_is_cut_short(tmp_path: Path) -> None:
    file = write(tmp_path, plain(entry="return NoEntry('x' * 10_000, rule='long')"))
    long = load_strategy(file, {}, directory=tmp_path)
    answer = ask_entry(long, VIEW)
    assert isinstance(answer, NoEntry) and answer.rule == "long" and len(answer.reason) == 500
    failing = load_strategy(write(tmp_path, plain(exit="raise ValueError('x' * 10_000)")), {}, directory=tmp_path)
    fault = ask_exit(failing, VIEW, POSITION)
    assert isinstance(fault, StrategyFault) and len(fault.reason) == 500


@pytest.mark.parametrize("body", ["return 1 / 0", "return True", "return NoEntry('x')", "raise SystemExit"])
def test_a_strategy_that_fails_on_an_exit_is_a_fault_not_an_exit(tmp_path: Path, body: str) -> None:
    answer = ask_exit(load_strategy(write(tmp_path, plain(exit=body)), {}, directory=tmp_path), VIEW, POSITION)
    assert isinstance(answer, StrategyFault) and "plain" in answer.reason
