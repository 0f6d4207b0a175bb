"""A strategy with each of its parameters as small and as large as it may be."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from bot.diagnostics.strategy_answers import Trial, ask, faults_in, position_at, trial
from bot.domain.errors import ConfigurationError
from bot.domain.quote import Candle
from bot.strategies.interface import MarketView, Parameter, Strategy


def parameter_extremes(
    parameters: Sequence[Parameter], load: Callable[[Mapping[str, object]], Strategy], probe: Callable[[Strategy], str]
) -> Trial:
    """Every parameter at both ends of its range, the others at their defaults: it loads, or says why not in a sentence.

    `load` raises ConfigurationError; one that comes from a ValueError of the strategy is such a sentence. `probe` asks
    the loaded strategy and gives back what went wrong.
    """
    wrong, refused, checked = [], 0, 0
    for parameter in parameters:
        for value in (parameter.minimum, parameter.maximum):
            checked += 1
            try:
                problem = probe(load({parameter.name: value}))
            except ConfigurationError as error:
                sentence = isinstance(error.__cause__, ValueError)
                refused += sentence
                problem = "" if sentence else str(error)
            if problem:
                wrong.append(f"{parameter.name} = {value}: {problem}")
    told = f"all load, {refused} are refused with a sentence" if refused else "all load and answer"
    return trial("parameters at the ends of their ranges", wrong, checked, told)


def fault_of(strategy: Strategy, markets: Mapping[str, Sequence[Candle]]) -> str:
    """What a strategy does wrong when asked about the newest candles of these markets; blank if nothing."""
    for name, candles in markets.items():
        view = MarketView(name, tuple(candles[-(strategy.candles_needed + 3) :]))
        faults = faults_in(ask(strategy, view, (position_at(name, candles[-1], Decimal(1)),)))
        if faults:
            return f"{name}: {faults[0]}"
    return ""
