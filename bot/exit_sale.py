"""Selling a position whose time has come: one order at a time, nothing while the venue would not take it."""

import logging
from dataclasses import dataclass

from bot.account_desk import AccountDesk
from bot.domain.decision import ExitStatus
from bot.domain.errors import CredentialsRejected, Fenced, StoreUnavailable
from bot.domain.instrument import Instrument
from bot.domain.order import FINAL_STATES, IntentState, OrderKind, Side
from bot.domain.position import Position
from bot.dust_keeping import DustKeeping
from bot.execution.lots import lots_of
from bot.judged_position import JudgedPosition
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.storage import intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

# After an order that has sold nothing the next is made so much later, and twice that after each more: soon where it
# was not taken for the moment, later and later where the venue has refused it.
FIRST_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 5.0
MAX_REFUSED_SECONDS = 60.0


@dataclass
class _Refused:
    """Of one position: how often in a row nothing was sold, why, and when to try again (monotonic)."""

    times: int
    why: str
    not_before: float


class ExitSale:
    """Of any account, in that account's thread."""

    def __init__(
        self,
        *,
        sizer: PositionSizer,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        said: LastSaid,
        dust: DustKeeping,
    ) -> None:
        self._sizer = sizer
        self._store = store
        self._clock = clock
        self._orders = orders
        self._said = said
        self._dust = dust
        # By account and symbol; a restarted process tries at once.
        self._refused: dict[tuple[str, str], _Refused] = {}

    def sell(self, desk: AccountDesk, judged: JudgedPosition) -> None:
        """One position's trouble does not keep the others from being sold."""
        try:
            self._sell(desk, judged)
        except (Fenced, StoreUnavailable, CredentialsRejected):
            raise
        except Exception as error:
            judged.wait(f"not sold yet: {error}")
            log.exception("%s: %s could not be sold", desk.account.label, judged.symbol)

    def _sell(self, desk: AccountDesk, judged: JudgedPosition) -> None:
        judged.status = ExitStatus.SELLING
        refused = self._refused.get((desk.account.label, judged.symbol))
        if refused is not None and self._clock.monotonic() < refused.not_before:
            judged.wait(refused.why)
            return
        if not self._orders.may_sell(desk, judged.symbol, judged.rule):
            sells = self._sells_already(desk, judged.symbol)
            judged.wait("an order has no end yet", status=ExitStatus.SELLING if sells else ExitStatus.WAITING)
            return
        position = self._position(desk, judged.symbol)
        if position is None:
            judged.reason += "; an order that was under way has sold it"
            return
        # What was in the way may have sold a part of it.
        judged.position = position
        instrument = desk.broker.get_trading_pairs().get(judged.symbol)
        if instrument is None:
            judged.wait("the venue does not list it any more")
            self._say_once(desk, judged, logging.WARNING)
            return
        awaited = desk.broker.awaits(judged.symbol, Side.SELL)
        if awaited is not None:
            judged.wait(f"it {awaited.sentence}")
            self._say_once(desk, judged, logging.INFO)
            return
        self._place(desk, judged, instrument)

    def _position(self, desk: AccountDesk, symbol: str) -> Position | None:
        with self._store.read() as connection:
            return positions.find_position(connection, desk.account.label, symbol)

    def _sells_already(self, desk: AccountDesk, symbol: str) -> bool:
        """Whether what is under way is a sale, and no purchase that has no end yet."""
        with self._store.read() as connection:
            open_intents = intents.unfinished(connection, desk.account.label)
        return any(intent.symbol == symbol and intent.side is Side.SELL for intent in open_intents)

    def _place(self, desk: AccountDesk, judged: JudgedPosition, instrument: Instrument) -> None:
        position, price = judged.position, judged.quote.bid
        lots = lots_of(position, desk.broker)
        size = self._sizer.size_exit(due=lots.free, held=lots.free, instrument=instrument, price=price)
        if isinstance(size, NoSize):
            judged.wait(size.detail)
            too_small = instrument.below_minimum(instrument.floor_quantity(position.quantity), price)
            if too_small:
                self._dust.close(desk, position, too_small)
            else:
                self._say_once(desk, judged, logging.INFO)
            return
        self._said.is_news(desk.account.label, judged.symbol, "")
        log.info("%s: exit %s: %s", desk.account.label, judged.symbol, judged.reason)
        made = self._orders.place(
            desk,
            symbol=judged.symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            quantity=size.quantity,
            # The rule's name first: what has ended a position is told by the order that did.
            decision=f"{judged.rule}: {judged.reason}",
            exit_plan=position.exit_plan,
            quote=judged.quote,
            exit_rule=judged.rule,
        )
        judged.order_id = made.client_order_id
        self._remember(desk, judged, made)

    def _remember(self, desk: AccountDesk, judged: JudgedPosition, made: OrderIntent) -> None:
        """An order that certainly sells nothing is not made again at once, for the venue's answer would be the same."""
        key = (desk.account.label, judged.symbol)
        ended = made.state is IntentState.CREATED or made.state in FINAL_STATES
        if made.filled_quantity > 0 or not ended:
            self._refused.pop(key, None)
            return
        times = self._refused[key].times + 1 if key in self._refused else 1
        longest = MAX_REFUSED_SECONDS if made.state is IntentState.REJECTED else MAX_RETRY_SECONDS
        pause = min(longest, FIRST_RETRY_SECONDS * 2 ** min(times - 1, 10))
        why = f"nothing was sold: {made.state} {made.reason}; tried again after {pause:g} s"
        self._refused[key] = _Refused(times, why, self._clock.monotonic() + pause)
        judged.wait(why)

    def _say_once(self, desk: AccountDesk, judged: JudgedPosition, level: int) -> None:
        if self._said.is_news(desk.account.label, judged.symbol, judged.reason.rpartition("; ")[2]):
            log.log(level, "%s: exit %s: %s", desk.account.label, judged.symbol, judged.reason)
