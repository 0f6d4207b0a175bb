"""Positions in a cycle: what is due is sold. Needs no scan, no strategy and no other market's prices."""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.brokers.base import Urgency
from bot.domain.account import BrokerType
from bot.domain.errors import Fenced, RetryLater, StoreUnavailable, UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind, Side
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.execution.lots import lots_of
from bot.market_view import view_of
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.storage import positions
from bot.storage.dust import close_as_dust
from bot.storage.store import Store
from bot.strategies.asking import StrategyFault, ask_exit
from bot.strategies.exits import decide_exit
from bot.strategies.interface import ExitIntent, Strategy

log = logging.getLogger(__name__)


class PositionKeeping:
    """Exits of any account, in that account's thread."""

    def __init__(
        self,
        *,
        strategies: Mapping[BrokerType, Strategy],
        sizer: PositionSizer,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        said: LastSaid,
    ) -> None:
        self._strategies = strategies
        self._sizer = sizer
        self._store = store
        self._clock = clock
        self._orders = orders
        self._said = said

    def manage(self, desk: AccountDesk) -> Sequence[Position]:
        """Exit what is due; returns the positions that were open when the step began."""
        desk.status.step("managing positions")
        held = self._positions(desk)
        if desk.executor.stopping:
            return held  # no exit could be sent: nobody needs to ask for prices
        if not held or desk.leaving is WhenDisabled.KEEP:
            self._mark(desk, self._prices_besides(desk))
            return held
        session = desk.broker.trading_session()
        if session.is_open is False:
            # Prices of a closed market are nobody's offer: nothing is decided by them, and nothing could be sold.
            if self._said.is_news(desk.account.label, "exits", session.says):
                log.info("%s: exits of %d positions wait: %s", desk.account.label, len(held), session.says)
            return held
        if desk.candles is not None:
            # Also while no entries are looked for: the strategy's wish to exit needs fresh candles.
            desk.candles.refresh([position.symbol for position in held])
        with desk.broker.urgent(Urgency.EXIT):  # an exit may hang on these, and a scan can wait
            quotes = desk.broker.get_best_bid_ask_batch([*(position.symbol for position in held), *_besides(desk)])
        for position in held:
            quote = quotes.get(position.symbol)
            if quote is None:
                log.warning("%s: no price for %s; its exits wait", desk.account.label, position.symbol)
            else:
                self._manage_position(desk, position, quote)
        self._mark(desk, quotes)
        return self._positions(desk)

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

    def _manage_position(self, desk: AccountDesk, position: Position, quote: Quote) -> None:
        if quote.bid > position.highest_price:
            self._store.write(
                lambda connection: positions.raise_highest_price(
                    connection, position.account_id, position.symbol, quote.bid
                )
            )
        decision = decide_exit(position, quote, signal=self._strategys_wish(desk, position))
        for fault in decision.faults:
            log.error("%s: %s: %s", desk.account.label, position.symbol, fault)
        left = desk.leaving is WhenDisabled.CLOSE_NOW
        if (decision.sells or left) and not self._orders.busy(desk, position.symbol):
            self._exit(desk, position, quote, "the user left" if left else decision.reason)

    def _strategys_wish(self, desk: AccountDesk, position: Position) -> ExitIntent | None:
        """What the master's strategy thinks of a holding, by the candles of its last scan. Users have no strategy."""
        if desk.candles is None:
            return None
        answer = ask_exit(self._strategies[desk.account.broker], view_of(desk.candles, position.symbol), position)
        if isinstance(answer, StrategyFault):
            log.error("%s: %s: %s", desk.account.label, position.symbol, answer.reason)
            return None
        return answer

    def _exit(self, desk: AccountDesk, position: Position, quote: Quote, reason: str) -> None:
        instrument = desk.broker.get_trading_pairs().get(position.symbol)
        if instrument is None:
            log.warning("%s: %s is not listed any more; it cannot be sold", desk.account.label, position.symbol)
            return
        awaited = desk.broker.awaits(position.symbol, Side.SELL)
        sentence = "" if awaited is None else awaited.sentence
        if self._said.is_news(desk.account.label, position.symbol, sentence) and awaited is not None:
            log.info("%s: exit %s (%s) %s", desk.account.label, position.symbol, reason, awaited.sentence)
        if awaited is not None:
            return
        lots = lots_of(position, desk.broker)
        size = self._sizer.size_exit(due=lots.free, held=lots.free, instrument=instrument, price=quote.bid)
        if isinstance(size, NoSize):
            self._not_sold(desk, position, instrument, quote, size)
            return
        log.info("%s: exit %s: %s", desk.account.label, position.symbol, reason)
        self._orders.place(
            desk,
            symbol=position.symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            quantity=size.quantity,
            decision=reason,
            exit_plan=position.exit_plan,
        )

    def _not_sold(
        self, desk: AccountDesk, position: Position, instrument: Instrument, quote: Quote, why: NoSize
    ) -> None:
        log.info("%s: %s not sold: %s", desk.account.label, position.symbol, why.detail)
        if instrument.below_minimum(instrument.floor_quantity(position.quantity), quote.bid):
            self._close_as_dust(desk, position)

    def _close_as_dust(self, desk: AccountDesk, position: Position) -> None:
        def work(connection: Connection) -> None:
            desk.executor.refuse_when_fenced(connection)
            close_as_dust(connection, position, now=self._clock.now())

        self._store.write(work)

    def _positions(self, desk: AccountDesk) -> Sequence[Position]:
        with self._store.read() as connection:
            return positions.positions_of(connection, desk.account.label)


def _besides(desk: AccountDesk) -> Sequence[str]:
    """Markets that are not held and whose price the account's mark lacks."""
    wanted = None if desk.marks is None else desk.marks.wanted
    return [wanted] if wanted is not None and wanted in desk.broker.known_trading_pairs() else []
