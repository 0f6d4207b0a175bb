"""The venue of a backtest: the paper exchange's matching engine, fees and balances over candles."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from bot.backtest.candle_market import CandleMarket
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import Costs
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.money import percent_to_fraction
from bot.domain.order import Side
from bot.domain.symbol import base_of, quote_of
from paper_exchange import orders
from paper_exchange.assets import STOCKS, Asset, all_assets
from paper_exchange.catalogue import Catalogue, Listing, all_listings
from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.venue_rules import FeeTier, VenueRules, rules_for

_NS = 1_000_000_000
# What nobody's file says of a market that the catalogue does not have.
_LOT_DECIMALS = 8
_UNIT = Decimal(1)


class Venue:
    """`place` trades at the price that is shown; accounts have the fees of `brokerage`, or the one of the costs."""

    def __init__(self, tables: Mapping[str, CandleTable], *, brokerage: str, costs: Costs, seed: int) -> None:
        known = all_listings()
        self._listings = {symbol: _listing(table, known) for symbol, table in tables.items()}
        self.instruments = {symbol: _instrument(listing) for symbol, listing in self._listings.items()}
        self.market = CandleMarket(self.instruments, costs)
        self._fees: dict[str, Decimal] = {}
        self._rules = _rules(brokerage, costs.taker_fee_percent)
        self._engine = Engine(
            Catalogue.of(self._listings, _assets(self._listings)), self.market, ids=Ids(seed=seed, epoch=0)
        )

    def open(self, account: str, cash: Mapping[str, Decimal]) -> None:
        """An account with deposits. Raises ValueError for an amount that is none."""
        stocks = any(base_of(symbol) in STOCKS for symbol in self._listings)
        self._engine.open_account(account, "alpaca" if stocks else "kraken", cash, rules=self._rules)

    def available(self, account: str, asset: str) -> Decimal:
        return self._engine.balance(account, asset).available

    def taker_fee_percent(self, account: str, symbol: str) -> Decimal:
        """As of its last fill; the engine itself asks for the exact tier at every order."""
        known = self._fees.get(account)
        if known is None:
            known = self._fees[account] = self._engine.fee_rates(account, symbol)[1] * 100
        return known

    def place(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal,
        at: float,
        *,
        limit_price: Decimal | None = None,
        client_order_id: str | None = None,
    ) -> tuple[list[Fill], str]:
        """The fills of an order that takes what is there, and why there is no (further) one.

        Without a limit it is a market order, with one an immediate limit order. `at` is seconds since 1970.
        """
        new = orders.NewOrder(
            account_id=account,
            symbol=symbol,
            side=orders.Side(side),
            kind=orders.OrderKind.MARKET if limit_price is None else orders.OrderKind.LIMIT,
            quantity=quantity,
            limit_price=limit_price,
            time_in_force=orders.TimeInForce.GTC if limit_price is None else orders.TimeInForce.IOC,
            client_order_id=client_order_id,
        )
        try:
            order = self._engine.place(new, round(at * _NS))
        except orders.Refusal as refusal:
            return [], refusal.detail
        events = self._engine.drain_events()
        names = self._quote_and_base(symbol)
        fills = [_fill(event.trade, names) for event in events if isinstance(event, orders.Filled)]
        if fills:
            self._fees.pop(account, None)
        return fills, "" if order.close_reason is None else str(order.close_reason)

    def _quote_and_base(self, symbol: str) -> tuple[str, str]:
        return self._listings[symbol].quote, self._listings[symbol].base


def _listing(table: CandleTable, known: Mapping[str, Listing]) -> Listing:
    """The market's rules as the catalogue has them, and for one it does not have, as fine as the file's own prices."""
    if table.symbol in known:
        found = known[table.symbol]
        finer = max(found.price_decimals, table.price_decimals)
        return replace(found, price_decimals=finer, tick_size=_UNIT.scaleb(-finer), trades=True)
    return Listing(
        symbol=table.symbol,
        base=base_of(table.symbol),
        quote=quote_of(table.symbol),
        tick_size=_UNIT.scaleb(-table.price_decimals),
        price_decimals=table.price_decimals,
        lot_step=_UNIT.scaleb(-_LOT_DECIMALS),
        lot_decimals=_LOT_DECIMALS,
        minimum_quantity=_UNIT.scaleb(-_LOT_DECIMALS),
        minimum_notional=Decimal("0.5"),
        quote_decimals=4,
        trades=True,
        reference_price=table.price(int(table.prices[0, 0])) if len(table) else _UNIT,
    )


def _instrument(listing: Listing) -> Instrument:
    return Instrument(
        symbol=listing.symbol,
        venue_symbol=listing.symbol,
        lot_step=listing.lot_step,
        tick_size=listing.tick_size,
        minimum_quantity=listing.minimum_quantity,
        minimum_notional=listing.minimum_notional,
    )


def _assets(listings: Mapping[str, Listing]) -> dict[str, Asset]:
    known = all_assets()
    for listing in listings.values():
        known.setdefault(listing.base, Asset(listing.base, 10, 5, listing.reference_price))
        known.setdefault(listing.quote, Asset(listing.quote, 4, 2, _UNIT))
    return known


def _rules(brokerage: str, taker_fee_percent: Decimal | None) -> VenueRules:
    found = rules_for(brokerage, None)
    if taker_fee_percent is None:
        return found
    rate = percent_to_fraction(taker_fee_percent)
    return replace(found, fees=(FeeTier(Decimal(0), rate, rate),))


def _fill(trade: orders.Trade, quote_and_base: tuple[str, str]) -> Fill:
    return Fill(
        trade_id=trade.trade_id,
        venue_order_id=trade.order_id,
        symbol=trade.symbol,
        side=Side(trade.side),
        quantity=trade.quantity,
        price=trade.price,
        fee=trade.fee,
        fee_currency=quote_and_base[1] if trade.fee_in_base else quote_and_base[0],
        executed_at=datetime.fromtimestamp(trade.time_ns / _NS, UTC),
        maker=trade.maker,
    )
