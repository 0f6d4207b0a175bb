"""Users who copy the master's trades: the live sizes of entries and exits, at the prices of a moment later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.backtest.account import Account
from bot.backtest.plan import CopyTerms, CopyUser
from bot.backtest.result import CopyRow
from bot.backtest.venue import Venue
from bot.domain.fill import Fill
from bot.domain.money import percent_to_fraction
from bot.domain.order import Side
from bot.domain.position import ExitPlan
from bot.domain.signal import CopyReason
from bot.domain.symbol import quote_of
from bot.position_sizer import EntryToCopy, NoSize, PositionSizer

_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class MasterTrade:
    """An order of the master that was filled. `balance` and `equity` are the master's from before it (quote).

    `fraction` is the part of its position that it sold; None = it bought.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    balance: Decimal
    equity: Decimal
    exit_plan: ExitPlan
    fraction: Decimal | None = None


class Copying:
    """`equity_of` says what an account is worth now."""

    def __init__(
        self,
        users: Sequence[CopyUser],
        accounts: Mapping[str, Account],
        venue: Venue,
        terms: CopyTerms,
        equity_of: Callable[[Account], Decimal],
    ) -> None:
        self._users = users
        self._accounts = accounts
        self._venue = venue
        self._terms = terms
        self._equity_of = equity_of
        self._sizer = PositionSizer()
        self._kept: dict[tuple[str, str], Decimal] = {}
        self.rows: list[CopyRow] = []

    def follow(self, trade: MasterTrade, at: float) -> None:
        """Every user's answer to a trade, at `at` (seconds since 1970) and the price that is shown."""
        for user in self._users:
            if trade.fraction is None:
                self._enter(user, trade, at)
            else:
                self._leave(user, trade, trade.fraction, at)

    # -- entries ----------------------------------------------------------------------------------------------------
    def _enter(self, user: CopyUser, trade: MasterTrade, at: float) -> None:
        account, symbol = self._accounts[user.name], trade.symbol
        cash = self._venue.available(user.name, quote_of(symbol))
        to_copy = self._to_copy(user, trade, account, cash)
        if sum(account.costs().values(), cash) < self._terms.minimum_funded_quote:
            size = NoSize(CopyReason.ACCOUNT_NOT_READY, f"not funded: {cash:.2f}")
        else:
            found = self._sizer.size_entry(to_copy, user.rules, self._venue.instruments[symbol])
            if not isinstance(found, NoSize):
                self._kept.pop((user.name, symbol), None)
                bound = trade.price * (1 + percent_to_fraction(self._terms.max_slippage_percent))
                limit = self._venue.instruments[symbol].buy_cap(bound)
                fills, why = self._venue.place(user.name, symbol, Side.BUY, found.quantity, at, limit_price=limit)
                account.book(fills, exit_plan=trade.exit_plan, reason="copy of the master's entry")
                reason = CopyReason.NONE if fills else CopyReason.PRICE_MOVED
                self._note(trade, user.name, Side.BUY, trade.quantity * found.ratio, fills, at, reason, why)
                return
            size = found
        if size.kept is not None:
            self._kept[user.name, symbol] = size.kept
        ideal = None if size.ratio is None else trade.quantity * size.ratio
        self._note(trade, user.name, Side.BUY, ideal, [], at, size.reason, size.detail)

    def _to_copy(self, user: CopyUser, trade: MasterTrade, account: Account, cash: Decimal) -> EntryToCopy:
        return EntryToCopy(
            symbol=trade.symbol,
            quantity=trade.quantity,
            price=trade.price,
            master_balance=trade.balance,
            user_balance=cash,
            user_available=cash,
            reserve_percent=self._terms.reserve_percent + self._terms.max_slippage_percent,
            user_exposure_by_symbol=account.costs(),
            at_par=frozenset({quote_of(trade.symbol)}),
            master_equity=trade.equity,
            user_equity=self._equity_of(account),
            kept=self._kept.get((user.name, trade.symbol), _ZERO),
        )

    # -- exits ------------------------------------------------------------------------------------------------------
    def _leave(self, user: CopyUser, trade: MasterTrade, fraction: Decimal, at: float) -> None:
        account, symbol = self._accounts[user.name], trade.symbol
        position = account.positions.get(symbol)
        if position is None:
            self._note(trade, user.name, Side.SELL, None, [], at, CopyReason.NOTHING_HELD, "nothing of it is held")
            return
        due = position.owed_quantity + fraction * (position.quantity - position.owed_quantity)
        size = self._sizer.size_exit(
            due=due, held=position.quantity, instrument=self._venue.instruments[symbol], price=trade.price
        )
        if isinstance(size, NoSize):
            self._note(trade, user.name, Side.SELL, due, [], at, size.reason, size.detail)
            if size.reason is CopyReason.DUST:
                account.drop_dust(symbol, datetime.fromtimestamp(at, UTC))
            return
        fills, why = self._venue.place(user.name, symbol, Side.SELL, size.quantity, at)
        account.book(fills, exit_plan=position.exit_plan, reason="copy of the master's exit", rule="copied_exit")
        sold = sum((fill.quantity for fill in fills), _ZERO)
        account.owe(symbol, max(_ZERO, due - sold))
        account.drop_unsellable(symbol, self._venue.instruments[symbol], trade.price, at)
        self._note(
            trade, user.name, Side.SELL, due, fills, at, CopyReason.NONE if fills else CopyReason.NOT_FILLED, why
        )

    def _note(
        self,
        trade: MasterTrade,
        user: str,
        side: Side,
        ideal: Decimal | None,
        fills: Sequence[Fill],
        at: float,
        reason: CopyReason,
        detail: str,
    ) -> None:
        quantity = sum((fill.quantity for fill in fills), _ZERO)
        self.rows.append(
            CopyRow(
                at=datetime.fromtimestamp(at, UTC),
                user=user,
                symbol=trade.symbol,
                side=side,
                ideal=ideal,
                quantity=quantity,
                price=sum((fill.notional for fill in fills), _ZERO) / quantity if quantity else None,
                master_price=trade.price,
                reason=reason,
                detail=detail,
            )
        )
