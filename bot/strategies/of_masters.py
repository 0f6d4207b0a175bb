"""Which strategy decides for which master."""

from collections.abc import Iterable
from pathlib import Path

from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings.model import OperatorSettings, StrategySettings
from bot.strategies.interface import Strategy
from bot.strategies.loading import load_strategy


def load_strategies(
    settings: OperatorSettings, masters: Iterable[BrokerType], *, directory: Path
) -> dict[BrokerType, Strategy]:
    """A strategy for each of the masters: one for all that have no word of their own.

    Files are looked for in `directory`. Raises `ConfigurationError` with every problem of every strategy, those of a
    master's own with its name. The common one is read even if all have their own: a typing error does not wait there.
    """
    problems: list[str] = []
    found: dict[BrokerType, Strategy] = {}
    common = _load(settings.strategy, directory, "", problems)
    for broker in masters:
        chosen = settings.strategy_of(broker)
        own = chosen != settings.strategy
        strategy = _load(chosen, directory, f"master {broker}: ", problems) if own else common
        if strategy is not None:
            found[broker] = strategy
    if problems:
        raise ConfigurationError(*problems)
    return found


def _load(chosen: StrategySettings, directory: Path, prefix: str, problems: list[str]) -> Strategy | None:
    try:
        return load_strategy(chosen.plugin, chosen.parameters, directory=directory)
    except ConfigurationError as error:
        problems += [prefix + problem for problem in error.problems]
        return None
