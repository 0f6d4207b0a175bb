"""Each master may have a strategy, parameters and candles of its own."""

import re
from pathlib import Path

import pytest

from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings
from bot.strategies.breakout import Breakout
from bot.strategies.interface import Strategy
from bot.strategies.of_masters import load_strategies
from bot.strategies.rsi_trend import RsiTrend
from tests.unit.strategies.test_loading import plain, write

COMMON = "strategy: {candle_interval_minutes: 5, parameters: {ema_slow: 60}}\n"
OWN = """
masters:
- broker: kraken
- broker: coinbase
  strategy: {plugin: breakout, candle_interval_minutes: 60, parameters: {channel: 50}}
- broker: okx
  strategy: {parameters: {rsi_fast: 7}}
- broker: binance
  strategy: {plugin: mine.py}
"""


def settings_of(directory: Path, yaml: str, environ: dict[str, str] | None = None) -> Settings:
    (directory / "config").mkdir(exist_ok=True)
    (directory / "config" / "nija.yaml").write_text(yaml)
    return load_settings(environ=environ or {}, config_dir=directory / "config", dotenv_path=None)


def strategies_of(settings: Settings, directory: Path) -> dict[BrokerType, Strategy]:
    return load_strategies(settings, [master.broker for master in settings.masters], directory=directory)


def test_a_master_has_the_common_strategy_or_one_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, plain())
    settings = settings_of(tmp_path, COMMON + OWN)
    found = strategies_of(settings, tmp_path)
    assert isinstance(found[BrokerType.KRAKEN], RsiTrend) and found[BrokerType.KRAKEN].candles_needed == 3 * 60 + 6
    assert isinstance(found[BrokerType.COINBASE], Breakout) and found[BrokerType.COINBASE].candles_needed == 52
    assert isinstance(found[BrokerType.OKX], RsiTrend) and found[BrokerType.OKX].candles_needed == 3 * 60 + 6
    assert found[BrokerType.BINANCE].name == "plain"
    intervals = [settings.strategy_of(broker).candle_interval_minutes for broker in found]
    assert intervals == [5, 60, 5, 5]


def test_the_parameters_of_another_plugin_are_its_own_and_those_of_the_same_are_laid_over(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, COMMON + OWN)
    assert dict(settings.strategy_of(BrokerType.COINBASE).parameters) == {"channel": "50"}
    assert dict(settings.strategy_of(BrokerType.OKX).parameters) == {"ema_slow": "60", "rsi_fast": "7"}
    assert dict(settings.strategy_of(BrokerType.KRAKEN).parameters) == {"ema_slow": "60"}


def test_a_variable_names_a_masters_strategy(tmp_path: Path) -> None:
    environ = {
        "NIJA__MASTERS__OKX__STRATEGY__PLUGIN": "buy_and_hold",
        "NIJA__MASTERS__OKX__STRATEGY__PARAMETERS__STOP_LOSS": "50",
    }
    settings = settings_of(tmp_path, "masters:\n- broker: okx\n  strategy: null\n", environ)
    assert strategies_of(settings, tmp_path)[BrokerType.OKX].name == "buy_and_hold"


def test_what_is_wrong_is_told_for_every_master_at_once(tmp_path: Path) -> None:
    yaml = """
strategy: {parameters: {rsi_fats: 7}}
masters:
- broker: kraken
- broker: coinbase
  strategy: {plugin: breakout, parameters: {channel: 1, margin_atr: x}}
- broker: okx
  strategy: {plugin: gone.py}
"""
    with pytest.raises(ConfigurationError) as caught:
        strategies_of(settings_of(tmp_path, yaml), tmp_path)
    problems = caught.value.problems
    assert len(problems) == 4
    assert problems[0].startswith("strategy rsi_trend: there is no parameter 'rsi_fats'")
    assert problems[1].startswith("master coinbase: strategy breakout: channel is 1 and must be between 2 and 300")
    assert problems[2].startswith("master coinbase: strategy breakout: margin_atr is 'x'")
    assert problems[3].startswith("master okx: strategy file") and problems[3].endswith("does not exist")


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("{plugins: breakout}", "plugins"),
        ("{candle_interval_minutes: 2}", "candle_interval_minutes"),
        ("{parameters: {channel: [1]}}", "must be one plain value, not a list"),
        ("breakout", "masters.0.strategy"),
    ],
)
def test_a_masters_strategy_is_read_strictly(tmp_path: Path, section: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        settings_of(tmp_path, f"masters:\n- broker: kraken\n  strategy: {section}\n")
