"""A strategy is not asked again what can only get the same answer, and a screen never changes an answer."""

from collections.abc import Sequence

import numpy as np

from bot.domain.quote import Candle
from bot.market.candle_arrays import CandleArrays, Mask
from bot.strategies.answers import EntryAnswers
from bot.strategies.interface import EntryIntent, MarketView, NoEntry
from bot.strategies.loading import load_strategy
from tests.memory_broker import TestClock
from tests.unit.candles import candles_of, waves


class Screened:
    """Says no to all; its screen says so of what closes below 100."""

    name = "screened"
    parameters = ()
    candles_needed = 2

    def __init__(self, *, broken: bool = False) -> None:
        self.asked: list[str] = []
        self.screened = 0
        self.broken = broken

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        self.asked.append(view.symbol)
        return NoEntry("not wanted", rule="not_wanted")

    def exit(self, _view: object, _position: object) -> None:
        return None

    def screen(self, arrays: CandleArrays) -> Mask:
        self.screened += 1
        return np.zeros(1, dtype=np.bool_) if self.broken else arrays.close >= 100


def ask(answers: EntryAnswers, symbol: str, candles: Sequence[Candle]) -> str:
    answer = answers.about(symbol, candles, lambda: MarketView(symbol, candles))
    assert isinstance(answer, NoEntry)
    return answer.rule


def test_what_a_screen_rules_out_is_screened_once_a_candle_and_explained_while_there_is_time() -> None:
    strategy, low = Screened(), candles_of([90, 91, 92])
    answers = EntryAnswers(strategy, TestClock())
    assert [ask(answers, "LOW", low) for _ in range(5)] == ["not_wanted"] * 5
    assert (strategy.screened, strategy.asked) == (1, ["LOW"])
    assert ask(answers, "LOW", candles_of([90, 91, 92, 93])) == "not_wanted"
    assert (strategy.screened, strategy.asked) == (2, ["LOW", "LOW"])


def test_without_time_for_words_the_no_is_the_screens() -> None:
    strategy, low = Screened(), candles_of([90, 91, 92])
    answers = EntryAnswers(strategy, TestClock(), explain_seconds=0)
    assert [ask(answers, "LOW", low) for _ in range(3)] == ["screened"] * 3
    assert strategy.asked == []


def test_a_candle_that_the_venue_has_changed_is_screened_again() -> None:
    strategy = Screened()
    answers = EntryAnswers(strategy, TestClock(), explain_seconds=0)
    assert ask(answers, "A", candles_of([90, 91, 92])) == "screened"
    assert ask(answers, "A", candles_of([90, 91, 192])) == "not_wanted"


def test_a_market_that_its_screen_lets_pass_is_asked_about_each_time_because_the_account_may_have_changed() -> None:
    strategy, high = Screened(), candles_of([100, 101])
    answers = EntryAnswers(strategy, TestClock())
    assert [ask(answers, "HIGH", high) for _ in range(3)] == ["not_wanted"] * 3
    assert strategy.asked == ["HIGH"] * 3


def test_a_screen_that_fails_is_not_used_any_more() -> None:
    strategy, low = Screened(broken=True), candles_of([90, 91])
    answers = EntryAnswers(strategy, TestClock())
    assert [ask(answers, symbol, low) for symbol in "AB"] == ["not_wanted"] * 2
    assert strategy.screened == 1


def test_the_default_strategy_answers_about_every_stretch_as_if_it_had_no_screen() -> None:
    strategy = load_strategy("rsi_trend", {})
    candles = candles_of([*waves(220, drift=0.05, swing=1.5), *waves(120, drift=-0.1, swing=2.0, price=110.0)])
    answers = EntryAnswers(strategy, TestClock(), explain_seconds=0)
    wishes = 0
    for end in range(strategy.candles_needed, len(candles) + 1):
        known = candles[end - strategy.candles_needed : end]
        plain = strategy.entry(MarketView("A", known))
        answer = answers.about("A", known, lambda known=known: MarketView("A", known))  # type: ignore[misc]
        wishes += isinstance(plain, EntryIntent)
        assert type(answer) is type(plain)
        assert answer == plain or (isinstance(answer, NoEntry) and answer.rule == "screened")
    assert wishes > 0
