"""Positions in a cycle: what is due is sold. Needs no scan, no strategy and no other market's prices.

The rules of price and time come first, for all positions; only then candles are read and the strategy is asked. Each
position is judged by itself: what goes wrong with one is written down, and the others have their turn.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.decision import ExitStatus
from bot.domain.errors import CredentialsRejected, Fenced, RetryLater, StoreUnavailable, UnreadableReply
from bot.domain.leaving import WhenDisabled
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.dust_keeping import DustKeeping
from bot.exit_prices import ExitPrices
from bot.exit_records import ExitRecords
from bot.exit_sale import ExitSale
from bot.judged_position import JudgedPosition
from bot.market_view import view_of
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.position_sizer import PositionSizer
from bot.seams.clock import Clock
from bot.storage import positions
from bot.storage.exit_states import ExitState
from bot.storage.store import Store
from bot.strategies.asking import StrategyFault, ask_exit
from bot.strategies.exits import ExitRule, decide_exit
from bot.strategies.interface import ExitIntent, Strategy
from bot.strategies.percent import Percent
from bot.strategy_facts import FactsByMarket, StrategyFacts

log = logging.getLogger(__name__)

LEFT = "left"
KEPT = "the user left with when_disabled: keep; what it holds is its owner's"


class PositionKeeping:
    """Exits of any account, in that account's thread. A plan without a usable stop gets one at `default_stop_percent`.

    Break-even includes the fees of buying and selling, as far as the venue has told them.
    """

    def __init__(
        self,
        *,
        strategies: Mapping[BrokerType, Strategy],
        sizer: PositionSizer,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        said: LastSaid,
        dust: DustKeeping,
        default_stop_percent: Decimal | None,
        max_positions: int,
    ) -> None:
        self._strategies = strategies
        self._facts = StrategyFacts(store=store, clock=clock, max_positions=max_positions)
        self._store = store
        self._clock = clock
        self._said = said
        self._dust = dust
        self._default_stop_percent = default_stop_percent
        self._sale = ExitSale(sizer=sizer, store=store, clock=clock, orders=orders, said=said, dust=dust)
        self._prices = ExitPrices(clock)
        self._records = ExitRecords(store=store, clock=clock)

    def manage(self, desk: AccountDesk) -> Sequence[Position]:
        """Exit what is due; returns the positions that are open now (with an account that stops: that were)."""
        desk.status.step("managing positions")
        held = self._positions(desk)
        if desk.executor.stopping:
            return held  # no exit could be sent: nobody needs to ask for prices
        if not held or desk.leaving is WhenDisabled.KEEP:
            return self._without_exits(desk, held)
        session = desk.broker.trading_session()
        if session.is_open is False:
            # Prices of a closed market are nobody's offer: nothing is decided by them, and nothing could be sold.
            if self._said.is_news(desk.account.label, "exits", session.says):
                log.info("%s: exits of %d positions wait: %s", desk.account.label, len(held), session.says)
            self._records.write(desk, [self._waiting(desk, position, session.says) for position in held])
            return held
        prices = self._prices.of(desk, [position.symbol for position in held], besides=_besides(desk))
        self._say_missing(desk, prices.why)
        self._judge_all(desk, held, prices.quotes, prices.why)
        if prices.none_at_all and prices.problem is not None:
            raise prices.problem
        self._mark(desk, prices.quotes)
        self._dust.retry(desk, prices.quotes)
        self._ask_fees(desk, held)
        return self._positions(desk)

    # -- accounts without exits -------------------------------------------------------------------------------------
    def _without_exits(self, desk: AccountDesk, held: Sequence[Position]) -> Sequence[Position]:
        quotes = self._prices_besides(desk)
        self._mark(desk, quotes)
        if not held:
            self._records.drop(desk)
        elif self._said.is_news(desk.account.label, "exits", KEPT):
            self._records.write(desk, [self._waiting(desk, position, KEPT) for position in held])
        if desk.leaving is not WhenDisabled.KEEP and self._dust.retry(desk, quotes):
            return self._positions(desk)
        return held

    def _prices_besides(self, desk: AccountDesk) -> Mapping[str, Quote]:
        """What an account that holds nothing needs for its mark; without it the mark says what is missing."""
        wanted = _besides(desk)
        try:
            return desk.broker.get_best_bid_ask_batch(wanted) if wanted else {}
        except (UnreadableReply, RetryLater):
            return {}

    def _mark(self, desk: AccountDesk, quotes: Mapping[str, Quote]) -> None:
        """Where the account stands by these prices, for the limits on loss. What goes wrong here stops entries only."""
        if desk.marks is None or desk.leaving is not None:
            return
        try:
            desk.marks.mark(quotes, desk.broker.balance_book.reading())
        except (Fenced, StoreUnavailable):
            raise
        except Exception:
            log.exception("%s: what its trades have made could not be worked out", desk.account.label)

    # -- judging ----------------------------------------------------------------------------------------------------
    def _judge_all(
        self, desk: AccountDesk, held: Sequence[Position], quotes: Mapping[str, Quote], missing: Mapping[str, str]
    ) -> None:
        """Prices and time first, then what the strategy wishes; one record for each position."""
        waiting = [
            self._waiting(desk, one, f"no price: {missing[one.symbol]}") for one in held if one.symbol in missing
        ]
        priced = [position for position in held if position.symbol in quotes]
        judged = []
        for position in priced:
            answer = self._judge(desk, position, quotes[position.symbol])
            if isinstance(answer, JudgedPosition):
                judged.append(answer)
            else:
                waiting.append(self._waiting(desk, position, f"cannot be judged: {answer}"))
        highest = {one.symbol: one.quote.bid for one in judged if one.quote.bid > one.position.highest_price}
        kept = [one for one in judged if not one.rule]
        # Before anything is sold, which takes its time: the highest bid of a cycle that ends there is not lost.
        self._records.write(desk, waiting + [self._state(desk, one) for one in kept], highest=highest)
        due = [one for one in judged if one.rule]
        for one in due:
            self._sale.sell(desk, one)
        changed = due + self._ask_strategy(desk, kept, held)
        orders = {one.symbol: one.order_id for one in changed if one.order_id is not None}
        self._records.write(desk, [self._state(desk, one) for one in changed], orders=orders)

    def _judge(self, desk: AccountDesk, position: Position, quote: Quote) -> JudgedPosition | Exception:
        """By price and time alone. An error where that is not possible, which no plan and no price should bring."""
        try:
            decision = decide_exit(
                position,
                quote,
                now=desk.broker.venue_now() or self._clock.now(),
                round_trip_fee=_round_trip_fee(desk, position),
                default_stop_percent=self._default_stop_percent,
            )
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("%s: the exits of %s cannot be judged", desk.account.label, position.symbol)
            return error
        judged = JudgedPosition(position, quote, decision, ExitStatus.ARMED, reason=decision.reason)
        judged.faults += decision.faults
        if desk.leaving is WhenDisabled.CLOSE_NOW:
            judged.rule, judged.reason = LEFT, "the user left"
        elif decision.rule is not None:
            judged.rule = str(decision.rule)
        elif not decision.guarded:
            judged.status = ExitStatus.UNGUARDED
        self._say_faults(desk, judged)
        return judged

    def _ask_fees(self, desk: AccountDesk, held: Sequence[Position]) -> None:
        """After the exits, which wait for no fee; about once a day, where a rule needs one or a strategy is told it."""
        told = desk.account.is_master and desk.account.broker in self._strategies
        for position in held:
            if told or position.exit_plan.break_even_percent is not None:
                desk.broker.taker_fee_percent(position.symbol)

    def _say_faults(self, desk: AccountDesk, judged: JudgedPosition) -> None:
        label, says = desk.account.label, "; ".join(judged.faults)
        if self._said.is_news(label, f"plan of {judged.symbol}", says) and says:
            log.error("%s: %s: %s", label, judged.symbol, says)
        unguarded = judged.reason if judged.status is ExitStatus.UNGUARDED else ""
        if self._said.is_news(label, f"guard of {judged.symbol}", "unguarded" if unguarded else "") and unguarded:
            log.critical("%s: %s has no stop and cannot be given one: %s", label, judged.symbol, unguarded)

    def _say_missing(self, desk: AccountDesk, why: Mapping[str, str]) -> None:
        says = "; ".join(f"{symbol} ({reason})" for symbol, reason in sorted(why.items()))
        if self._said.is_news(desk.account.label, "prices", ", ".join(sorted(why))) and why:
            log.warning("%s: no price, so these exits wait: %s", desk.account.label, says)

    # -- the strategy's wish ----------------------------------------------------------------------------------------
    def _ask_strategy(
        self, desk: AccountDesk, kept: Sequence[JudgedPosition], held: Sequence[Position]
    ) -> list[JudgedPosition]:
        """Those that a master's strategy wants sold, or could not be asked about. Users have no strategy."""
        strategy = self._strategies.get(desk.account.broker)
        if desk.candles is None or strategy is None or not kept or desk.executor.stopping:
            return []
        self._refresh_candles(desk, [one.symbol for one in kept])
        facts, changed = self._facts_now(desk, held), []
        for one in kept:
            answer = self._wish(desk, strategy, one.position, facts)
            if isinstance(answer, ExitIntent):
                one.decision = replace(one.decision, rule=ExitRule.SIGNAL, reason=answer.reason)
                one.rule, one.reason = str(ExitRule.SIGNAL), answer.reason
                self._sale.sell(desk, one)
            elif answer is not None:
                one.faults.append(answer.reason)
            said = answer.reason if isinstance(answer, StrategyFault) else ""
            if self._said.is_news(desk.account.label, f"wish of {one.symbol}", said) and said:
                log.error("%s: %s: %s", desk.account.label, one.symbol, said)
            changed += [] if answer is None else [one]
        return changed

    def _refresh_candles(self, desk: AccountDesk, symbols: Sequence[str]) -> None:
        """Also while no entries are looked for: the wish to exit needs fresh candles."""
        assert desk.candles is not None, "only masters' strategies are asked"
        try:
            desk.candles.refresh(symbols)
        except (Fenced, StoreUnavailable, CredentialsRejected):
            raise
        except Exception:
            log.exception("%s: the candles of what it holds could not be read", desk.account.label)

    def _facts_now(self, desk: AccountDesk, held: Sequence[Position]) -> FactsByMarket | None:
        """What goes wrong with them makes them unknown: the wish to exit is asked for all the same."""
        try:
            return self._facts.now(desk, held)
        except (Fenced, StoreUnavailable):
            raise
        except Exception:
            log.exception("%s: what its strategy is told of the account could not be worked out", desk.account.label)
            return None

    def _wish(
        self, desk: AccountDesk, strategy: Strategy, position: Position, facts: FactsByMarket | None
    ) -> ExitIntent | StrategyFault | None:
        assert desk.candles is not None, "only masters' strategies are asked"
        try:
            account = None if facts is None else facts.about(position.symbol)
            return ask_exit(strategy, view_of(desk.candles, position.symbol, account), position)
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("%s: %s cannot be shown to its strategy", desk.account.label, position.symbol)
            return StrategyFault(position.symbol, f"it cannot be shown to the strategy: {error}")

    # -- rows -------------------------------------------------------------------------------------------------------
    def _state(self, desk: AccountDesk, judged: JudgedPosition) -> ExitState:
        return judged.state(at=self._clock.now(), cycle=desk.status.health.cycles + 1)

    def _waiting(self, desk: AccountDesk, position: Position, why: str) -> ExitState:
        return ExitState(
            account_id=desk.account.label,
            symbol=position.symbol,
            at=self._clock.now(),
            cycle=desk.status.health.cycles + 1,
            status=ExitStatus.WAITING,
            reason=why,
        )

    def _positions(self, desk: AccountDesk) -> Sequence[Position]:
        with self._store.read() as connection:
            held, unreadable = positions.readable_positions_of(connection, desk.account.label)
        says = ", ".join(unreadable)
        if self._said.is_news(desk.account.label, "unreadable positions", says) and says:
            log.critical("%s: these positions cannot be read, and nothing sells them: %s", desk.account.label, says)
        return held


def _besides(desk: AccountDesk) -> Sequence[str]:
    """Markets that are not held and whose price the account's mark lacks."""
    wanted = None if desk.marks is None else desk.marks.wanted
    return [wanted] if wanted is not None and wanted in desk.broker.known_trading_pairs() else []


def _round_trip_fee(desk: AccountDesk, position: Position) -> Percent | None:
    """What buying and selling cost together in this market; None = not told, or no rule needs it."""
    if position.exit_plan.break_even_percent is None:
        return None
    taker = desk.broker.known_taker_fee_percent(position.symbol)
    return None if taker is None else Percent(2 * taker)
