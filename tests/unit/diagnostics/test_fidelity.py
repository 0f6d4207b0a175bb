"""`bot.py fidelity` and what it reads: copies beside the ideal, as planner, executor and recorder leave them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from bot import app
from bot.books.fidelity import to_cents
from bot.diagnostics.fidelity_figures import fidelity_figures
from bot.diagnostics.period_figures import ListedAccount
from bot.domain.order import Side
from bot.domain.quote import Quote
from bot.position_sizer import CopyRules
from bot.storage.book_entries import EVER, NEVER
from bot.storage.fidelity_rows import FidelityLine, fidelity_of
from bot.storage.schema import copy_result, market_scout
from bot.storage.symbol_pauses import pause_symbol
from tests.memory_broker import START
from tests.stored_bot import StoredBot
from tests.unit.copy_bench import KRAKEN, Bench
from tests.unit.diagnostics.conftest import Ask

D = Decimal
BTC = "BTC/USD"


@pytest.fixture
def bench(bot: StoredBot) -> Bench:
    """The master has 10,000 and ann a tenth of it; both pay 0.1 % of each trade."""
    made = Bench(bot.store, {"ann": "1000", "bob": "1000"})
    for broker in made.brokers.values():
        broker.fee_fraction = D("0.001")
    made.rotation_seed = "a seed"
    made.engine = made.make_engine()
    return made


def _trade(bench: Bench, side: Side, quantity: str, *, master: str, users: str | None = None) -> None:
    """The master trades at one price and its users at another."""
    for account, broker in bench.brokers.items():
        broker.price = D(master) if account.is_master else D(users or master)
    bench.master_trades(side, quantity)
    bench.plan()
    for name in ("ann", "bob"):
        bench.copy(name)
    for broker in bench.brokers.values():
        broker.refresh_balance()


def _lines(bench: Bench, name: str = "ann") -> list[FidelityLine]:
    with bench.store.read() as connection:
        return list(fidelity_of(connection, f"{name}_kraken", EVER, NEVER))


def _parts(line: FidelityLine) -> dict[str, Decimal]:
    return {part.name: part.amount for part in line.difference.parts}


def test_a_round_trip_of_a_user_who_paid_more_and_got_less(bench: Bench) -> None:
    _trade(bench, Side.BUY, "0.01", master="50000", users="50100")
    _trade(bench, Side.SELL, "0.01", master="51000", users="50900")
    bought, sold = _lines(bench)
    assert (bought.kind, bought.ideal_quantity, bought.quantity, bought.reference) == (
        "entry",
        D("0.001"),
        D("0.001"),
        D(51000),
    )
    assert bought.open_fraction == 0 and bought.marked_at is None
    # A tenth of the master's fee is 0.0500; the user's own is 0.0501.
    assert _parts(bought) == {"price": D("-0.1"), "fee": D("-0.0001")}
    assert _parts(sold) == {"price": D("-0.1"), "fee": D("0.0001")}
    assert bought.difference.whole == D("-0.1001")
    assert None not in (bought.rank, sold.rank, bought.latency_seconds)


def test_with_a_price_that_was_seen_latency_has_a_part_of_its_own(bench: Bench) -> None:
    bench.engine.planner._quote_of = lambda _broker, symbol: Quote(symbol, D(50050), D(50060), START)
    _trade(bench, Side.BUY, "0.01", master="50000", users="50100")
    assert _parts(_lines(bench)[0])["latency"] == D("-0.06")
    assert _parts(_lines(bench)[0])["price"] == D("-0.04")


def test_what_the_master_still_holds_is_compared_at_the_last_price_written_down(bench: Bench) -> None:
    bench.followers = [
        type(each)(account=each.account, name=each.name, rules=CopyRules(max_trade_notional_quote=D(20)))
        for each in bench.followers
    ]
    _trade(bench, Side.BUY, "0.01", master="50000")
    unknown = _lines(bench)[0]
    assert unknown.difference.whole is None and unknown.marked_at is None
    priced = datetime(2026, 1, 1, 1, tzinfo=UTC)
    row = {"broker": str(KRAKEN), "symbol": BTC, "bid": D(1), "ask": D(1), "last_price": D(60000), "priced_at": priced}
    bench.store.write(lambda connection: connection.execute(market_scout.insert().values(row)))
    line = _lines(bench)[0]
    assert (line.reference, line.open_fraction, line.marked_at) == (D(60000), D(1), priced)
    # 0.0004 were bought of 0.001, and each of the rest would have gained 10,000; the fee of the rest was saved.
    assert _parts(line) == {"cap": D("-6.0"), "fee": D("0.03")}
    # The master sells half of it: that half counts at what it brought.
    _trade(bench, Side.SELL, "0.005", master="40000")
    assert _lines(bench)[0].reference == D(50000)


def test_every_skip_keeps_its_word_with_what_it_would_have_been(bench: Bench) -> None:
    bench.store.write(lambda c: pause_symbol(c, "ann_kraken", BTC, reason="traded by hand", now=START))
    _trade(bench, Side.BUY, "0.01", master="50000")
    _trade(bench, Side.SELL, "0.01", master="49000")
    (skipped,) = _lines(bench)
    assert (skipped.status, skipped.ideal_quantity, skipped.quantity) == ("skipped", D("0.001"), D(0))
    assert _parts(skipped) == {"skipped: symbol_paused": D(1), "fee": D("0.05")}


def test_a_part_that_was_not_filled_and_exits_of_what_there_is(bench: Bench) -> None:
    bench.user("ann").fillable = D("0.0006")
    _trade(bench, Side.BUY, "0.01", master="50000")
    bench.user("ann").fillable = None
    _trade(bench, Side.SELL, "0.005", master="51000")
    _trade(bench, Side.SELL, "0.005", master="52000")
    bought, half, rest = _lines(bench)
    # The master's lots bring 51,000 and 52,000 by halves: 1,500 more than they cost.
    assert _parts(bought)["not filled: price_moved"] == D("-0.0004") * 1500
    assert (half.ideal_quantity, rest.ideal_quantity) == (D("0.0003"), D("0.0003"))
    assert half.difference.whole == rest.difference.whole == 0


def test_a_trade_by_hand_is_a_line_of_its_own_and_so_is_a_copy_under_way(bench: Bench) -> None:
    _trade(bench, Side.BUY, "0.01", master="50000")
    ann = bench.user("ann")
    order = ann.by_hand(Side.SELL, "0.0002")
    fills = [fill for fill in ann.fills if fill.venue_order_id == order.venue_order_id]
    bench.recorders[ann.account].note_foreign(fills)
    bench.clock.seconds += 60
    _trade(bench, Side.SELL, "0.01", master="51000")
    by_hand = next(line for line in _lines(bench) if line.kind == "manual")
    assert (by_hand.quantity, by_hand.reference) == (D("0.0002"), D(51000))
    assert _parts(by_hand) == {"trade by hand": D("-0.2") - D("0.01")}
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert _lines(bench)[-1].difference.why == "under way"


def test_masters_have_no_lines_and_who_left_owes_none(bench: Bench) -> None:
    bench.followers = bench.followers[1:]
    _trade(bench, Side.BUY, "0.01", master="50000")
    assert _lines(bench) == []
    with bench.store.read() as connection:
        assert fidelity_of(connection, "kraken", EVER, NEVER) == ()


def test_a_time_holds_the_trades_of_that_time_and_the_worth_of_them_by_what_came_later(bench: Bench) -> None:
    for day in range(4):
        bench.clock.seconds = 3 * 86_400 * day
        for broker in bench.brokers.values():
            broker.refresh_balance()
        _trade(bench, Side.SELL if day % 2 else Side.BUY, "0.01", master=str(50000 + 1000 * day))
    with bench.store.read() as connection:
        times = [START + timedelta(days=3 * day) for day in range(5)]
        for first in range(4):
            for last in range(first, 4):
                lines = fidelity_of(connection, "ann_kraken", times[first], times[last] + timedelta(seconds=1))
                assert [line.at for line in lines] == times[first : last + 1]
                assert [line.reference for line in lines if line.kind == "entry"] == [
                    D(50000 + 1000 * (day + 1)) for day in range(first, last + 1) if day % 2 == 0
                ]


# -- the command --------------------------------------------------------------------------------------------------
def test_the_command_sums_up_each_user_with_its_mean_rank(ask: Ask, bot: StoredBot, bench: Bench) -> None:
    bot.runs()
    for number in range(4):
        _trade(bench, Side.BUY, "0.01", master="50000", users=str(50000 + 10 * number))
        _trade(bench, Side.SELL, "0.01", master="51000")
    said = ask(app.main, "fidelity", "--all", "--json").json
    assert said["mode"] == "paper"
    assert [user["account"] for user in said["users"]] == ["ann_kraken", "bob_kraken"]
    for user in said["users"]:
        lines = user["lines"]
        assert D(user["difference"]) == sum((D(amount) for amount in user["by_part"].values()), D(0))
        exact = sum((D(line["difference"]) for line in lines), D(0))
        assert abs(D(user["difference"]) - exact) <= D("0.01")
        assert user["ranked"] == 8 and user["fair_mean_rank"] == 0.5
        assert {line["members"] for line in lines} == {2}
    assert sum(user["mean_rank"] for user in said["users"]) == 1.0
    shown = ask(app.main, "fidelity", "ann", "--all")
    assert shown.code == 0
    assert "ann_kraken" in shown.text and "bob_kraken" not in shown.text
    assert "(fair: 0.5)" in shown.text and "From the first user's order to the last one's" in shown.text
    assert "latency is a part of price" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 100


def test_one_signal_is_shown_for_all_its_users(ask: Ask, bot: StoredBot, bench: Bench) -> None:
    bot.runs()
    _trade(bench, Side.BUY, "0.01", master="50000")
    _trade(bench, Side.SELL, "0.01", master="51000")
    signal_id = _lines(bench)[1].signal_id
    assert signal_id is not None
    said = ask(app.main, "fidelity", "--signal", signal_id[:8], "--json").json
    assert [[line["signal_id"] for line in user["lines"]] for user in said["users"]] == [[signal_id], [signal_id]]


@pytest.mark.parametrize(("words", "why"), [(["nobody"], "no user"), (["--signal", "zz"], "no signal begins with")])
def test_who_or_what_there_is_not_is_refused(
    ask: Ask, bot: StoredBot, bench: Bench, words: list[str], why: str
) -> None:
    shown = ask(app.main, "fidelity", *words)
    assert (shown.code, why in shown.errors) == (2, True)


def test_statements_have_the_same_sums_in_whole_cents(bench: Bench) -> None:
    _trade(bench, Side.BUY, "0.01", master="50000", users="50133.33")
    _trade(bench, Side.SELL, "0.01", master="51000", users="50911.11")
    ann = ListedAccount(account_id="ann_kraken", name="Ann", broker="kraken", user_id="ann", currency="USD")
    with bench.store.read() as connection:
        figures = fidelity_figures(connection, ann, None, None)
    *parts, (word, whole) = figures.lines
    assert word == "difference to the master"
    assert sum((amount for _, amount in parts if amount is not None), D(0)) == whole
    lines = [line.difference.whole for line in _lines(bench)]
    assert None not in lines
    assert whole == to_cents([sum((one for one in lines if one is not None), D(0))])[0]


def test_what_is_not_known_ends_with_1_and_is_in_no_sum(ask: Ask, bot: StoredBot, bench: Bench) -> None:
    bot.runs()
    _trade(bench, Side.BUY, "0.01", master="50000")
    _trade(bench, Side.SELL, "0.01", master="51000")
    of_ann = update(copy_result).where(copy_result.c.account_id == "ann_kraken")
    bench.store.write(lambda connection: connection.execute(of_ann.values(ratio=None)))
    shown = ask(app.main, "fidelity", "ann", "--all")
    assert (shown.code, "1 not known" in shown.text) == (1, True)
