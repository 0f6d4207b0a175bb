"""A strategy is not asked again what can only get the same answer."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.quote import Candle
from bot.strategies.answers import EntryAnswers
from bot.strategies.interface import AccountFacts, EntryIntent, MarketView, NoEntry
from bot.strategies.loading import load_strategy
from tests.memory_broker import TestClock
from tests.unit.candles import candles_of, waves


class Counted:
    """Counts how often it is asked; wants what closes above 100, and looks at the account if it is told to."""

    name = "counted"
    parameters = ()
    candles_needed = 2

    def __init__(self, *, looks_at_account: bool = False, fails: bool = False) -> None:
        self.asked = 0
        self.looks_at_account = looks_at_account
        self.fails = fails

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        self.asked += 1
        if self.fails:
            raise ValueError("not today")
        if self.looks_at_account and view.account is not None and view.account.open_positions:
            return NoEntry("one position is enough", rule="one_is_enough")
        if view.candles[-1].close <= 100:
            return NoEntry("too low", rule="too_low")
        return EntryIntent(view.symbol, Decimal(1), "high enough")

    def exit(self, _view: object, _position: object) -> None:
        return None


def facts(open_positions: int) -> AccountFacts:
    return AccountFacts(cash_quote=Decimal(1000), open_positions=open_positions, max_positions=8)


def ask(answers: EntryAnswers, candles: Sequence[Candle], *, positions: int = 0) -> str:
    answer = answers.about("BTC/USD", candles, interval_minutes=1, account=facts(positions))
    return answer.rule if isinstance(answer, NoEntry) else "entry"


def test_between_two_candles_it_is_asked_once_whatever_it_said() -> None:
    for last, expected in ((90, "too_low"), (110, "entry")):
        strategy = Counted()
        answers = EntryAnswers(strategy, TestClock())
        assert [ask(answers, candles_of([90, last]), positions=number) for number in range(3)] == [expected] * 3
        assert strategy.asked == 1


def test_a_new_candle_and_one_that_the_venue_has_changed_are_asked_about() -> None:
    strategy = Counted()
    answers = EntryAnswers(strategy, TestClock())
    assert ask(answers, candles_of([90, 91, 92])) == "too_low"
    assert ask(answers, candles_of([90, 91, 92, 93])) == "too_low"
    assert ask(answers, candles_of([90, 91, 92, 193])) == "entry"
    assert strategy.asked == 3


def test_a_strategy_that_looks_at_the_account_is_asked_each_time() -> None:
    strategy, candles = Counted(looks_at_account=True), candles_of([90, 110])
    answers = EntryAnswers(strategy, TestClock())
    assert [ask(answers, candles, positions=held) for held in (0, 1, 0)] == ["entry", "one_is_enough", "entry"]
    assert strategy.asked == 3


def test_a_strategy_that_failed_is_asked_again_after_a_while() -> None:
    strategy, clock, candles = Counted(fails=True), TestClock(), candles_of([90, 110])
    answers = EntryAnswers(strategy, clock)
    assert [ask(answers, candles) for _ in range(3)] == ["strategy_failed"] * 3
    assert strategy.asked == 1
    clock.seconds += 11
    strategy.fails = False
    assert ask(answers, candles) == "entry"


def test_markets_that_are_not_looked_at_any_more_are_forgotten() -> None:
    strategy = Counted()
    answers = EntryAnswers(strategy, TestClock())
    ask(answers, candles_of([90, 110]))
    answers.keep_only(["ETH/USD"])
    ask(answers, candles_of([90, 110]))
    assert strategy.asked == 2


def test_the_default_strategy_gets_every_answer_that_it_would_give_plainly() -> None:
    strategy = load_strategy("rsi_trend", {})
    candles = candles_of([*waves(220, drift=0.05, swing=1.5), *waves(120, drift=-0.1, swing=2.0, price=110.0)])
    answers = EntryAnswers(strategy, TestClock())
    wishes = 0
    for end in range(strategy.candles_needed, len(candles) + 1):
        known = candles[end - strategy.candles_needed : end]
        plain = strategy.entry(MarketView("A", known))
        wishes += isinstance(plain, EntryIntent)
        for _ in range(2):
            assert answers.about("A", known, interval_minutes=1, account=None) == plain
    assert wishes > 0
