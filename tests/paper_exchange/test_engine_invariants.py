"""Whatever accounts do in whatever market: no unit appears or vanishes, and a saved engine goes on as the same."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from paper_exchange.catalogue import Catalogue
from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.market import Market
from paper_exchange.orders import (
    LIMIT_KINDS,
    TRIGGERED_KINDS,
    AmendRequest,
    Filled,
    NewOrder,
    Order,
    OrderAlreadyClosed,
    OrderKind,
    OrderStatus,
    Refusal,
    Side,
    TimeInForce,
)
from tests.paper_exchange.engine_bench import ALICE, BOB, CAROL, DORA, EVERYBODY, SECOND_NS, EngineBench

SYMBOLS = ("BTC/USD", "SHIB/USD", "ETH/BTC", "BTC/USDT")
accounts = st.sampled_from(EVERYBODY)
symbols = st.sampled_from(SYMBOLS)


class TradingDays(RuleBasedStateMachine):
    placed = Bundle("placed")

    @initialize(seed=st.integers(1, 5), alive=st.booleans())
    def open_market(self, seed: int, alive: bool) -> None:
        self.bench = EngineBench(price=None if alive else "50000", seed=seed)
        self.bench.open(ALICE, USD="3000.0001", BTC="0.05", SHIB="1000000")
        self.bench.open(BOB, USD="500000", BTC="3", ETH="40")
        self.bench.open(CAROL, USD="20000", BTC="0.5", SHIB="9999999.99999999")
        self.bench.open(DORA, USD="1", BTC="1.5", ETH="7", USDT="30000")

    @rule(
        target=placed,
        account=accounts,
        symbol=symbols,
        side=st.sampled_from(Side),
        kind=st.sampled_from(OrderKind),
        tif=st.sampled_from(TimeInForce),
        post_only=st.booleans(),
        away=st.integers(-60, 60),
        trigger_away=st.integers(-60, 60),
        share=st.integers(1, 1200),
        lots=st.integers(0, 99),
        by_amount=st.booleans(),
    )
    def place(
        self, account: str, symbol: str, side: Side, kind: OrderKind, tif: TimeInForce, post_only: bool, away: int,
        trigger_away: int, share: int, lots: int, by_amount: bool,
    ) -> Order | None:  # fmt: skip
        """Prices some basis points around the last; sizes from a thousandth to more than the account has."""
        engine, listing = self.bench.engine, self.bench.catalogue.listing(symbol)
        last = self.bench.market.last(symbol)
        asset = listing.quote if side is Side.BUY else listing.base
        balances = engine.balances(account)
        total = balances[asset].total if asset in balances else Decimal(1)
        base_worth = total / last if side is Side.BUY else total
        quantity = base_worth * share / 1000 // listing.lot_step * listing.lot_step + lots * listing.lot_step
        notional = by_amount and kind is OrderKind.MARKET
        new = NewOrder(
            account_id=account, symbol=symbol, side=side, kind=kind,
            quantity=None if notional else quantity,
            quote_amount=(quantity * last).quantize(Decimal("0.01")) if notional else None,
            limit_price=self.near(last, away, listing.tick_size) if kind in LIMIT_KINDS else None,
            trigger_price=self.near(last, trigger_away, listing.tick_size) if kind in TRIGGERED_KINDS else None,
            time_in_force=tif, post_only=post_only,
            expires_at_ns=self.bench.market.now_ns + 40 * SECOND_NS if tif is TimeInForce.GTD else None,
        )  # fmt: skip
        before = engine.snapshot()
        try:
            order = engine.place(new, self.bench.now_ns)
        except Refusal:
            assert engine.snapshot() == before, "a refusal changes nothing"
            return None
        self.check_promises(order)
        return order

    @staticmethod
    def near(last: Decimal, basis_points: int, tick: Decimal) -> Decimal:
        return (last * (10000 + basis_points) / 10000) // tick * tick

    def check_promises(self, order: Order) -> None:
        trades = [self.bench.engine.trade(trade_id) for trade_id in order.trades]
        if order.post_only:
            assert not trades, "post-only never takes"
        if order.time_in_force is TimeInForce.FOK:
            assert order.status in (OrderStatus.FILLED, OrderStatus.CANCELED)
            assert order.filled_quantity in (0, order.quantity or order.filled_quantity), "fill or kill"
        prices = [trade.price for trade in trades]
        assert prices == sorted(prices, reverse=order.side is Side.SELL), "the best price goes first"

    @rule(order=placed)
    def cancel(self, order: Order | None) -> None:
        if order is None:
            return
        try:
            self.bench.engine.cancel(order.account_id, order.order_id, self.bench.now_ns)
        except OrderAlreadyClosed:
            assert not order.is_live

    @rule(
        order=placed,
        away=st.none() | st.integers(-60, 60),
        trigger_away=st.none() | st.integers(-60, 60),
        percent=st.none() | st.integers(1, 250),
    )
    def amend(self, order: Order | None, away: int | None, trigger_away: int | None, percent: int | None) -> None:
        if order is None:
            return
        engine, listing = self.bench.engine, self.bench.catalogue.listing(order.symbol)
        last = self.bench.market.last(order.symbol)
        whole = (order.quantity or Decimal(0)) * (percent or 0) / 100
        change = AmendRequest(
            quantity=None if percent is None else whole // listing.lot_step * listing.lot_step,
            limit_price=None if away is None else self.near(last, away, listing.tick_size),
            trigger_price=None if trigger_away is None else self.near(last, trigger_away, listing.tick_size),
        )
        before, taken = engine.snapshot(), len(order.trades)
        try:
            engine.amend(order.account_id, order.order_id, change, self.bench.now_ns)
        except Refusal:
            assert engine.snapshot() == before, "a refusal changes nothing"
            return
        except OrderAlreadyClosed:
            assert not order.is_live
            return
        assert not order.post_only or len(order.trades) == taken, "post-only never takes"

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.bench.wait(seconds)

    @rule(symbol=symbols, basis_points=st.integers(-300, 300))
    def move(self, symbol: str, basis_points: int) -> None:
        last = self.bench.market.last(symbol)
        self.bench.market.set_price(symbol, last * (10000 + basis_points) / 10000)
        self.bench.wait(0)

    @rule(account=accounts, cents=st.integers(0, 100000), out=st.booleans())
    def transfer(self, account: str, cents: int, out: bool) -> None:
        engine = self.bench.engine
        try:
            (engine.withdraw if out else engine.deposit)(account, "USD", Decimal(cents) / 100, self.bench.now_ns)
        except Refusal:
            assert out

    @rule()
    def restart(self) -> None:
        """The engine and market read back from their saved text are the same."""
        bench = self.bench
        saved = json.loads(json.dumps([bench.engine.snapshot(), bench.market.snapshot()]))
        catalogue = Catalogue()
        market = Market.restored(catalogue, saved[1])
        again = Engine(catalogue, market, ids=Ids(seed=1, epoch=2))
        again.restore(saved[0], market.now_ns)
        assert again.snapshot() == bench.engine.snapshot()
        assert market.snapshot() == bench.market.snapshot()
        assert [again.balances(name) for name in EVERYBODY] == [bench.engine.balances(name) for name in EVERYBODY]
        assert all(market.last(symbol) == bench.market.last(symbol) for symbol in SYMBOLS)

    @invariant()
    def nothing_is_created_or_lost(self) -> None:
        if hasattr(self, "bench"):
            self.bench.assert_conserved()

    @invariant()
    def the_ledger_explains_every_balance(self) -> None:
        if not hasattr(self, "bench"):
            return
        for name in EVERYBODY:
            sums: dict[str, Decimal] = {}
            for entry in self.bench.engine.ledger(name):
                sums[entry.asset] = sums.get(entry.asset, Decimal(0)) + entry.amount - entry.fee
                assert entry.balance_after == sums[entry.asset]
            assert sums == {asset: balance.total for asset, balance in self.bench.engine.balances(name).items()}

    @invariant()
    def orders_and_their_trades_agree(self) -> None:
        if not hasattr(self, "bench"):
            return
        for event in self.bench.engine.drain_events():
            order = event.order
            trades = [self.bench.engine.trade(trade_id) for trade_id in order.trades]
            assert order.filled_quantity == sum(trade.quantity for trade in trades)
            assert (order.filled_cost, order.fee) == (sum(t.cost for t in trades), sum(t.fee for t in trades))
            if order.limit_price is not None and isinstance(event, Filled):
                better = event.trade.price <= order.limit_price if order.side is Side.BUY else True
                assert better and (order.side is Side.BUY or event.trade.price >= order.limit_price)
            if order.quantity is not None:
                assert order.filled_quantity <= order.quantity


TradingDays.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestTradingDays = TradingDays.TestCase
