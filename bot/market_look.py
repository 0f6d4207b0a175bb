"""A master's look at all markets of its venue: filtered, read, and the strategy asked about each that is left."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bot.account_desk import AccountDesk
from bot.domain.account import AccountRef, BrokerType
from bot.market.funnel import Funnel, Stage, Word
from bot.market.ticker_board import TickerBoard
from bot.market.universe import ScanRules, filtered_by_fee, filtered_by_listing, filtered_by_ticker
from bot.seams.clock import Clock
from bot.strategies.answers import EntryAnswers
from bot.strategies.asking import STRATEGY_FAILED, TOO_FEW_CANDLES
from bot.strategies.interface import EntryIntent, NoEntry, Strategy
from bot.strategy_facts import FactsByMarket, ask_common_fee

log = logging.getLogger(__name__)

HELD = Word(Stage.HELD, "held", "a position is there already")


@dataclass(frozen=True)
class Look:
    """`wishes` are the strategy's, most confident first; in `funnel` only their markets have no word yet.

    `passed` have passed the filters.
    """

    funnel: Funnel
    wishes: tuple[EntryIntent, ...]
    passed: tuple[str, ...] = ()


class MarketLook:
    """Any account's thread, each for its own account only."""

    def __init__(
        self,
        *,
        strategy_of: Callable[[BrokerType], Strategy],
        rules: ScanRules,
        clock: Clock,
        paused: Callable[[], frozenset[str]],
        movers: Callable[[BrokerType], Collection[str]],
    ) -> None:
        """`paused` markets are the operator's; `movers` are read sooner than the others."""
        self._strategy_of = strategy_of
        self._rules = rules
        self._clock = clock
        self._paused = paused
        self._movers = movers
        self._answers: dict[AccountRef, tuple[Strategy, EntryAnswers]] = {}

    def look(self, desk: AccountDesk, held: frozenset[str], facts: FactsByMarket | None) -> Look:
        """One look. `held` is not entered again, but its candles are read first."""
        listed = desk.broker.get_trading_pairs()
        funnel = Funnel([*sorted(listed.keys() | held)])
        for symbol in held:
            funnel.say(symbol, HELD)
        for symbol, word in filtered_by_listing(
            {symbol: one for symbol, one in listed.items() if symbol not in held},
            self._rules,
            currency=desk.broker.quote_currency,
            paused=self._paused(),
        ).items():
            funnel.say(symbol, word)
        self._filter_by_price(desk, funnel, sorted(held & listed.keys()))
        passed = tuple(funnel.open)
        return Look(funnel, self._ask(desk, funnel, held, facts), passed)

    def _filter_by_price(self, desk: AccountDesk, funnel: Funnel, held: Sequence[str]) -> None:
        """What is held is asked for along with them, to be shown."""
        left, board = funnel.open, desk.tickers
        if board is not None and self._rules.needs_tickers:
            board.refresh([*left, *held])
            for symbol in left:
                word = self._by_ticker(board, symbol)
                if word is not None:
                    funnel.say(symbol, word)
        ask_common_fee(desk.broker, funnel.open)
        if self._rules.max_taker_fee_percent is not None:
            self._filter_by_fee(desk, funnel)

    def _filter_by_fee(self, desk: AccountDesk, funnel: Funnel) -> None:
        """By the fees as they were told."""
        for symbol in funnel.open:
            word = filtered_by_fee(desk.broker.known_taker_fee_percent(symbol), self._rules)
            if word is not None:
                funnel.say(symbol, word)

    def _by_ticker(self, board: TickerBoard, symbol: str) -> Word | None:
        ticker = board.of(symbol)
        return filtered_by_ticker(ticker, self._rules, age_seconds=board.age_seconds(symbol), why=board.problem)

    def _ask(
        self, desk: AccountDesk, funnel: Funnel, held: frozenset[str], facts: FactsByMarket | None
    ) -> tuple[EntryIntent, ...]:
        assert desk.candles is not None, "a master's desk has candles"
        candles, symbols = desk.candles, funnel.open
        movers = self._movers(desk.account.broker)
        coverage = candles.refresh(symbols, first=sorted(held), sooner=movers)
        answers, wishes = self._answers_of(desk.account), list[EntryIntent]()
        answers.keep_only(symbols)
        for symbol in symbols:
            if symbol in coverage.not_ready:
                funnel.say(symbol, Word(Stage.MISSING, coverage.rules[symbol], coverage.not_ready[symbol]))
                continue
            account = None if facts is None else facts.about(symbol)
            answer = answers.about(
                symbol, candles.closed(symbol), interval_minutes=candles.interval_minutes, account=account
            )
            if isinstance(answer, EntryIntent):
                wishes.append(answer)
            else:
                self._say_no(desk, funnel, symbol, answer)
        return tuple(sorted(wishes, key=lambda entry: (-entry.confidence, entry.symbol)))

    def _say_no(self, desk: AccountDesk, funnel: Funnel, symbol: str, answer: NoEntry) -> None:
        if answer.rule == STRATEGY_FAILED:
            log.error("%s: %s: %s", desk.account.label, symbol, answer.reason)
        stage = Stage.MISSING if answer.rule == TOO_FEW_CANDLES else Stage.NO_ENTRY
        funnel.say(symbol, Word(stage, answer.rule, answer.reason))

    def _answers_of(self, account: AccountRef) -> EntryAnswers:
        strategy = self._strategy_of(account.broker)
        known = self._answers.get(account)
        if known is None or known[0] is not strategy:
            known = self._answers[account] = strategy, EntryAnswers(strategy, self._clock)
        return known[1]
