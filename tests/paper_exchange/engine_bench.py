"""An engine with a paused or living market, and short ways to place orders in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from paper_exchange.catalogue import Catalogue
from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.market import Market
from paper_exchange.orders import Balance, NewOrder, Order, OrderKind, Side, TimeInForce

ORIGIN_NS = 1_800_000_037_500_000_000  # not on a minute, nor on a second
SECOND_NS = 1_000_000_000
ALICE, BOB, CAROL, DORA = EVERYBODY = ("kraken:alice", "kraken:bob", "coinbase:carol", "binance:dora")


class EngineBench:
    """`price` pauses the market with BTC/USD there; None leaves it alive."""

    def __init__(self, *, price: str | None = "50000", seed: int = 1) -> None:
        self.catalogue = Catalogue()
        self.market = Market(self.catalogue, seed, origin_ns=ORIGIN_NS)
        self.now_ns = ORIGIN_NS
        if price is not None:
            self.market.pause()
            self.market.set_price("BTC/USD", Decimal(price))
        self.engine = Engine(self.catalogue, self.market, ids=Ids(seed=seed, epoch=1))

    def open(self, account_id: str, **balances: str) -> None:
        amounts = {asset: Decimal(amount) for asset, amount in balances.items()}
        self.engine.open_account(account_id, account_id.split(":")[0], amounts)

    def place(
        self,
        account_id: str,
        side: str,
        quantity: str | None = None,
        limit: str | Decimal | None = None,
        *,
        kind: OrderKind | None = None,
        trigger: str | Decimal | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        amount: str | None = None,
        symbol: str = "BTC/USD",
        **more: object,
    ) -> Order:
        new = NewOrder(
            account_id=account_id, symbol=symbol, side=Side(side),
            kind=kind or (OrderKind.MARKET if limit is None else OrderKind.LIMIT), quantity=_decimal(quantity),
            limit_price=_decimal(limit), trigger_price=_decimal(trigger), time_in_force=tif,
            quote_amount=_decimal(amount), **more,  # type: ignore[arg-type]
        )  # fmt: skip
        return self.engine.place(new, self.now_ns)

    def wait(self, seconds: float) -> None:
        self.now_ns = max(self.now_ns, self.market.now_ns) + int(seconds * SECOND_NS)
        self.engine.advance(self.now_ns)

    def set_price(self, price: str | Decimal) -> None:
        self.market.set_price("BTC/USD", Decimal(price))
        self.wait(0)

    def balance(self, account_id: str, asset: str) -> tuple[Decimal, Decimal]:
        """(total, held)"""
        found = self.engine.balances(account_id)[asset]
        return found.total, found.held

    def assert_conserved(self) -> None:
        """Per asset, what all accounts and the house have is what came in; nothing is negative or held twice."""
        accounts: dict[str, Decimal] = {}
        for account_id in EVERYBODY:
            self._assert_holds(account_id)
            for asset, balance in self._balances(account_id).items():
                accounts[asset] = accounts.get(asset, Decimal(0)) + balance.total
        for asset, (clearing, fees, outside) in self.engine.house_balances().items():
            assert accounts.get(asset, Decimal(0)) + clearing + fees == outside, asset

    def _balances(self, account_id: str) -> Mapping[str, Balance]:
        try:
            return self.engine.balances(account_id)
        except KeyError:
            return {}

    def _assert_holds(self, account_id: str) -> None:
        balances = self._balances(account_id)
        if not balances:
            return
        expected: dict[str, Decimal] = {}
        for order in self.engine.open_orders(account_id):
            base, quote = order.symbol.split("/")
            asset = quote if order.side is Side.BUY else base
            expected[asset] = expected.get(asset, Decimal(0)) + order.reserved
        for asset, balance in balances.items():
            assert 0 <= balance.held <= balance.total
            assert balance.held == expected.get(asset, 0)


def _decimal(value: str | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)
