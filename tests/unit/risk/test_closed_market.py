"""No entry leaves for a market that its venue has stopped, and the answer says so."""

from decimal import Decimal

from bot.domain.account import AccountRef
from bot.domain.order import IntentState, Side
from bot.risk.gate import NothingHalted, TradingGate
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, Bench

ANN = AccountRef.user(KRAKEN, "ann")


def closed_for(*labels: str) -> TradingGate:
    def why(account_id: str, symbol: str) -> str:
        return f"{symbol} is cancel_only at kraken" if account_id in labels else ""

    return TradingGate(halted=NothingHalted(), not_ready=lambda _label: "", limits=NothingHalted(), market_closed=why)


def test_a_masters_entry_is_given_up_before_it_is_sent(store: Store) -> None:
    bench = Bench(store, {"ann": "1000"})
    bench.gate = closed_for("kraken")
    bench.restarted(AccountRef.master(KRAKEN))
    result = bench.master_trades(Side.BUY, "0.01")
    assert result.state is IntentState.ABANDONED
    assert result.reason == "not sent: market_closed: BTC/USD is cancel_only at kraken"


def test_a_copy_is_skipped_as_of_a_closed_market(store: Store) -> None:
    bench = Bench(store, {"ann": "1000"})
    bench.gate = closed_for(ANN.label)
    bench.restarted(ANN)
    bench.master_trades(Side.BUY, "0.01")
    bench.copy("ann")
    assert bench.answers == [("ann", "skipped", "market_closed")]
    assert bench.user("ann").received == []


def test_an_exit_is_not_held_back(store: Store) -> None:
    bench = Bench(store, {"ann": "1000"})
    bench.master_trades(Side.BUY, "0.01")
    bench.gate = closed_for("kraken", ANN.label)
    bench.restarted(AccountRef.master(KRAKEN))
    assert bench.master_trades(Side.SELL, "0.01").filled_quantity == Decimal("0.01")
