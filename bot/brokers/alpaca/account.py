"""What Alpaca says of an account: whose it is, whether it may trade, its cash, its day trades."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.alpaca.orders import of_stocks
from bot.brokers.alpaca.stocks import CURRENCY
from bot.brokers.replies import as_object, flag_of, number, number_of, optional_text, text_of
from bot.domain.balance import AssetBalance
from bot.domain.errors import UnreadableReply
from bot.domain.money import plain

ACTIVE = "ACTIVE"
BLOCKS: Mapping[str, str] = {
    "trading_blocked": "trading is blocked by Alpaca",
    "account_blocked": "the account is blocked by Alpaca",
    "trade_suspended_by_user": "trading is suspended in the account's own settings at Alpaca",
}
# The rule for margin accounts: below this equity no more than three day trades within five days.
DAY_TRADER_EQUITY = Decimal(25_000)
DAY_TRADES_ALLOWED = 3
ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """One reading of `GET /account`. Amounts are US dollars; `available` is never borrowed money."""

    identity: str
    status: str
    blocks: tuple[str, ...]
    cash: Decimal
    available: Decimal
    equity: Decimal
    multiplier: Decimal
    may_short: bool
    day_trades: int
    is_day_trader: bool

    @property
    def may_trade(self) -> bool:
        return self.status == ACTIVE and not self.blocks

    @property
    def hindrance(self) -> str:
        """Why it may not trade at all, in words; empty = it may."""
        if self.status != ACTIVE:
            return f"the account's status at Alpaca is {self.status}, not {ACTIVE}"
        return " and ".join(self.blocks)

    @property
    def day_trade_limit(self) -> str:
        """Why what is bought today could not be sold today, in words; empty = it could."""
        if self.equity >= DAY_TRADER_EQUITY:
            return ""
        small = f"equity {self.equity:.2f} USD is below {DAY_TRADER_EQUITY:f}"
        if self.is_day_trader:
            return f"Alpaca has flagged the account as a pattern day trader, and its {small}: no entries"
        # Who has no margin may trade as often as the money is settled.
        if self.day_trades >= DAY_TRADES_ALLOWED and self.multiplier > 1:
            return f"{self.day_trades} day trades within five days, and {small}: no entries until one of them is older"
        return ""

    @property
    def day_trade_state(self) -> tuple[bool, int, bool]:
        """What a denial of a day trade hangs on."""
        return self.is_day_trader, self.day_trades, self.equity >= DAY_TRADER_EQUITY

    @property
    def balance(self) -> AssetBalance:
        """Cash; `held` is what open orders or trades that are not settled tie up."""
        total = max(ZERO, self.cash)
        return AssetBalance(available=self.available, held=total - self.available)


def account_from(document: object, *, where: str) -> AccountState:
    """Raises `UnreadableReply`."""
    fields = as_object(document, where=where)
    if (currency := text_of(fields, "currency", where=where)) != CURRENCY:
        raise UnreadableReply(f"{where}: the account is counted in {currency[:10]!r}, not in {CURRENCY}")
    number_text = optional_text(fields, "account_number") or text_of(fields, "id", where=where)
    # Borrowed money makes cash negative; none of that can be spent.
    cash = number_of(fields, "cash", where=where, minimum=None)
    powers = [number_of(fields, name, where=where, minimum=None) for name in _POWERS if fields.get(name) is not None]
    if not powers:
        raise UnreadableReply(f"{where}: no buying power is told")
    return AccountState(
        identity=f"account {number_text}",
        status=text_of(fields, "status", where=where),
        blocks=tuple(words for name, words in BLOCKS.items() if flag_of(fields, name, default=False, where=where)),
        cash=cash,
        available=max(ZERO, min(cash, *powers)),
        equity=number_of(fields, "equity", where=where, minimum=None),
        multiplier=_optional(fields, "multiplier", where, Decimal(1)),
        # One that does not say so is taken to be able to.
        may_short=flag_of(fields, "shorting_enabled", default=True, where=where),
        day_trades=int(_optional(fields, "daytrade_count", where, ZERO)),
        is_day_trader=flag_of(fields, "pattern_day_trader", default=False, where=where),
    )


_POWERS = ("non_marginable_buying_power", "buying_power")


def _optional(fields: Mapping[str, object], name: str, where: str, default: Decimal) -> Decimal:
    value = fields.get(name)
    return default if value is None or value == "" else number(value, where=f"{where} {name}")


def positions_from(values: Iterable[object], *, where: str) -> Mapping[str, AssetBalance]:
    """Shares by ticker. What was sold short is no holding; coins and options are left out. Raises `UnreadableReply`."""
    held: dict[str, AssetBalance] = {}
    for value in values:
        fields = as_object(value, where=where)
        if not of_stocks(fields):
            continue
        ticker = text_of(fields, "symbol", where=where)
        named = f"{where} {ticker[:20]}"
        quantity = number_of(fields, "qty", where=named, minimum=None)
        available = number_of(fields, "qty_available", where=named, minimum=None)
        if quantity <= 0 or text_of(fields, "side", where=named) != "long":
            continue
        if not 0 <= available <= quantity:
            raise UnreadableReply(f"{named}: {plain(available)} of {plain(quantity)} shares are free")
        if ticker in held:
            raise UnreadableReply(f"{named}: told twice")
        held[ticker] = AssetBalance(available=available, held=quantity - available)
    return held
