"""One entry of a master: price, size, order."""

import logging
from collections.abc import Callable

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.order import OrderKind, Side
from bot.domain.veto import Veto, VetoRule
from bot.master_rules import MasterRules
from bot.own_orders import OwnOrders
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.storage import vetoes
from bot.storage.store import Store
from bot.strategies.interface import EntryIntent

log = logging.getLogger(__name__)


class MasterEntry:
    """`price_age_seconds` is that of a market's last known price."""

    def __init__(
        self,
        *,
        rules: MasterRules,
        sizer: PositionSizer,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        price_age_seconds: Callable[[BrokerType, str], float | None],
    ) -> None:
        self._rules = rules
        self._sizer = sizer
        self._store = store
        self._clock = clock
        self._orders = orders
        self._price_age_seconds = price_age_seconds

    def enter(self, desk: AccountDesk, entry: EntryIntent) -> None:
        try:
            quote = desk.broker.get_best_bid_ask(entry.symbol)
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            age = self._price_age_seconds(desk.account.broker, entry.symbol)
            last = "none was ever read" if age is None else f"the last one is {age:.0f} s old"
            self._price_veto(desk, entry.symbol, age, f"its price is not known ({last}): {error}")
            return
        age = (self._clock.now() - quote.taken_at).total_seconds()
        if age > self._rules.max_price_age_seconds:
            self._price_veto(desk, entry.symbol, age, f"its price is {age:.0f} s old")
            return
        holdings = desk.broker.balance_book.reading().holdings
        assert holdings is not None, "entries are vetoed without a fresh balance"
        cash = holdings.of(desk.broker.quote_currency)
        size = self._sizer.size_master_entry(
            cash_quote=cash.available,
            percent_of_cash=self._rules.order_percent_of_cash,
            price=quote.ask,
            instrument=desk.broker.get_trading_pairs()[entry.symbol],
        )
        if isinstance(size, NoSize):
            log.info("%s: %s not entered: %s", desk.account.label, entry.symbol, size.detail)
            return
        self._orders.place(
            desk,
            symbol=entry.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            quantity=size.quantity,
            decision=entry.reason,
            exit_plan=entry.exit_plan(self._rules.exit_plan),
            balance_before=cash.total,
            reference_price=quote.ask,
        )

    def _price_veto(self, desk: AccountDesk, symbol: str, age_seconds: float | None, why: str) -> None:
        log.warning("%s: %s not entered: %s", desk.account.label, symbol, why)
        numbers = {"max_age_seconds": f"{self._rules.max_price_age_seconds:g}"}
        if age_seconds is not None:
            numbers["age_seconds"] = f"{age_seconds:.1f}"
        veto, now = Veto(VetoRule.STALE_PRICE, why, numbers), self._clock.now()
        self._store.write(
            lambda connection: vetoes.add_early_veto(
                connection, account_id=desk.account.label, symbol=symbol, side=Side.BUY, why=veto, at=now
            )
        )
