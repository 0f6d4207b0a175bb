"""What may go wrong on the sockets of a venue, with the whole bot on a real exchange that misbehaves on command.

Whatever happens to the messages: every fill of the master is in exactly one signal, every user makes one order for it,
and all of it comes to an end. The exchange's journal is compared with the books.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill_drill.books import Books
from benchmarks.kill_drill.exchange_side import ExchangeSide
from benchmarks.kill_drill.judge import judge
from benchmarks.kill_drill.terms import Market, Terms
from bot.domain.account import AccountRef
from tests.bot_process import OVER_WEBSOCKET
from tests.exchange_process import wait_until
from tests.integration import composed_bot
from tests.integration.composed_bot import MASTER, ComposedBot, user

PATIENCE = 90.0
USERS = ("ann", "bob", "cat")
ACCOUNTS = (MASTER, *(user(name) for name in USERS))
SYMBOL = "BTC/USD"
CONFIGURATION = composed_bot.CONFIGURATION.replace(
    "kraken:\n", "kraken:\n  websocket_order_deadline_seconds: 1.5\n  websocket_silence_seconds: 4\n"
).replace("scan_symbols_limit: 1", "scan_symbols_limit: 1, duplicate_entry_seconds: null, max_entries_per_minute: null")
BY_HAND = {"I3", "I12", "I13"}
"""Of the orders that the master's owner makes by hand, with the same key, the books know only the fills."""
TERMS = Terms(
    users={"kraken": frozenset(user(name).label for name in USERS)},
    markets={SYMBOL: Market(Decimal("0.00003"), Decimal("0.5"), Decimal("0.00000001"))},
)
Fault = Mapping[str, object]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedBot]:
    """One bot for many faults; each test leaves it flat and well."""
    directory = tmp_path_factory.mktemp("streams")
    with ComposedBot(directory, USERS, configuration=CONFIGURATION, wire=OVER_WEBSOCKET) as bot:
        yield bot


@pytest.fixture
def bot(running: ComposedBot) -> Iterator[ComposedBot]:
    wait_until(lambda: all_live(running), seconds=PATIENCE, what="the private streams of all accounts")
    yield running
    running.exchange.clear_faults()


@pytest.fixture(scope="module")
def rarely_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedBot]:
    """A bot whose accounts have a cycle every ten minutes: what comes sooner, the streams have brought."""
    directory = tmp_path_factory.mktemp("rarely")
    configuration = CONFIGURATION.replace("cycle_seconds: 1", "cycle_seconds: 600")
    assert configuration != CONFIGURATION
    with ComposedBot(directory, USERS, configuration=configuration, wire=OVER_WEBSOCKET) as bot:
        yield bot


@pytest.fixture
def rare(rarely_running: ComposedBot) -> Iterator[ComposedBot]:
    wait_until(lambda: all_live(rarely_running), seconds=PATIENCE, what="the private streams of all accounts")
    yield rarely_running
    rarely_running.exchange.clear_faults()


# -- what is seen of it -----------------------------------------------------------------------------------------------
def is_live(bot: ComposedBot, account: AccountRef) -> bool:
    """Whether an order of this account could go over its socket now."""
    broker = bot.parts.manager.broker_of(account)
    lane = None if broker is None else broker.lane()
    return lane is not None and lane.ready(SYMBOL)


def all_live(bot: ComposedBot) -> bool:
    return bot.all_trade() and all(is_live(bot, account) for account in ACCOUNTS)


def accepted(bot: ComposedBot, name: str, since: int = 0, **wanted: str) -> list[dict[str, Any]]:
    return bot.exchange.journal(since, type="accept", account=name, **wanted)


def applied(bot: ComposedBot) -> int:
    """How often the faults in force have struck."""
    return sum(fault["applied"] for fault in bot.exchange.faults())


def traded(bot: ComposedBot, since: int = 0) -> Decimal:
    """Base units that the master has bought and sold."""
    fills = bot.exchange.journal(since, type="fill", account="master")
    return sum((Decimal(line["quantity"]) for line in fills), Decimal(0))


def told(bot: ComposedBot) -> Decimal:
    """Base units in signals."""
    return sum((Decimal(row["quantity"]) for row in bot.rows("SELECT quantity FROM signal")), Decimal(0))


def answers(bot: ComposedBot) -> list[tuple[str, str, str, str]]:
    """What became of the newest copies, for a person."""
    rows = bot.rows(
        "SELECT copy_result.account_id, status, reason, detail FROM copy_result JOIN signal USING (signal_id)"
        " ORDER BY sequence DESC LIMIT 8"
    )
    return [(row["account_id"], row["status"], row["reason"], row["detail"]) for row in rows]


def at_rest(bot: ComposedBot) -> bool:
    """Every signal is planned, every copy answered, every order at its end, and books and venue say the same."""
    waiting = [
        *bot.rows("SELECT 1 FROM signal WHERE planned_at IS NULL"),
        *bot.rows("SELECT 1 FROM copy_result WHERE answered_at IS NULL"),
        *bot.rows(
            "SELECT 1 FROM order_intent WHERE state IN ('created', 'submitted', 'unknown', 'acknowledged',"
            " 'partly_filled')"
        ),
    ]
    return not waiting and all(bot.held(name) == bot.booked(user(name)) for name in USERS)


def problems(bot: ComposedBot, since: int = 0) -> list[str]:
    """What the judge finds wrong with everything up to now."""
    lines = bot.exchange.journal(since)
    found = judge(ExchangeSide.from_lines(lines), Books.read(Path(str(bot.store.url.database))), TERMS)
    ours = {row["client_order_id"] for row in bot.rows("SELECT client_order_id FROM order_intent")}
    strange = [line for name in USERS for line in accepted(bot, name, since) if line["client_order_id"] not in ours]
    return [
        *(str(problem) for problem in found if problem.invariant not in BY_HAND),
        *(f"{line['account']} has an order that is in no book: {line}" for line in strange),
    ]


# -- what is done -----------------------------------------------------------------------------------------------------
def settle(bot: ComposedBot, since: int = 0) -> None:
    """Wait until all that the master did has come to its end."""
    wait_until(
        lambda: told(bot) == traded(bot, since) and at_rest(bot),
        seconds=PATIENCE,
        what=f"an end: {told(bot)} of {traded(bot, since)} told, {bot.rows('SELECT * FROM copy_result')[-2:]}",
    )


def finish(bot: ComposedBot, before: int, *, trades: int = 1, holders: Sequence[str] = USERS) -> None:
    """The faults are over. What was bought is copied once; it is sold again, and the judge finds nothing wrong.

    `before` is the journal's number when the test began, `trades` how often the master has bought since then.
    """
    bot.exchange.clear_faults()
    settle(bot)
    for name in USERS:
        wanted = trades if name in holders else 0
        entries = accepted(bot, name, before, side="buy")
        assert len(entries) == wanted, f"{name} has {len(entries)} orders, not {wanted}: {answers(bot)}"
        assert (bot.held(name) > 0) == (name in holders)
    sell_all(bot)
    assert problems(bot) == []
    assert bot.fatal == []


def sell_all(bot: ComposedBot) -> None:
    bot.hand.trades("sell", format(bot.held("master"), "f"), SYMBOL)
    settle(bot)
    assert not any(bot.held(name) for name in USERS)


def fault(bot: ComposedBot, action: Fault, account: str | None, endpoint: str, **more: Any) -> None:
    wanted = {"account": account, "endpoint": endpoint} if account is not None else {"endpoint": endpoint}
    bot.exchange.fault(action, times=more.pop("times", 1), **wanted, **more)


# -- the master's stream ----------------------------------------------------------------------------------------------
def test_a_trade_is_copied_over_the_sockets_and_by_nothing_else(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    bot.hand.trades("buy", "0.02", SYMBOL)
    settle(bot)
    for name in USERS:
        assert [line["endpoint"] for line in accepted(bot, name, before)] == ["ws/add_order"]
    finish(bot, before)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ({"kind": "gap"}, {"nth": 1}),
        ({"kind": "gap"}, {"nth": 2}),
        ({"kind": "gap"}, {"nth": 3}),
        ({"kind": "gap"}, {"times": None}),
        ({"kind": "duplicate"}, {"times": None}),
        ({"kind": "reorder"}, {"nth": 1}),
        ({"kind": "reorder"}, {"nth": 2}),
        ({"kind": "reorder"}, {"times": None}),
        ({"kind": "close", "code": 1001}, {"nth": 1}),
        ({"kind": "close", "code": 1006}, {"nth": 2}),
        ({"kind": "silence", "seconds": 30}, {"nth": 1}),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values()),
)
def test_whatever_becomes_of_the_messages_a_fill_makes_one_signal_and_one_order_each(
    bot: ComposedBot, action: Fault, more: Mapping[str, Any]
) -> None:
    before = bot.exchange.last_seq()
    fault(bot, action, "master", "ws/executions", **more)
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: applied(bot), seconds=PATIENCE, what="the fault to strike")
    settle(bot)
    # One more trade right behind it, over whatever the stream has become.
    bot.hand.trades("buy", "0.01", SYMBOL)
    settle(bot)
    finish(bot, before, trades=2)


def test_fills_during_a_disconnect_make_one_signal_each(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    fault(bot, {"kind": "drop_request"}, None, "ws/connect", times=None)
    fault(bot, {"kind": "close", "code": 1001}, "master", "ws/heartbeat")
    wait_until(lambda: applied(bot) > 1, seconds=PATIENCE, what="the connection to be gone, and no way back")
    bot.hand.trades("buy", "0.02", SYMBOL)
    bot.hand.trades("buy", "0.01", SYMBOL)
    assert not is_live(bot, MASTER)
    bot.exchange.clear_faults()
    settle(bot)
    wait_until(lambda: all_live(bot), seconds=PATIENCE, what="the stream to be back")
    bot.hand.trades("buy", "0.01", SYMBOL)
    finish(bot, before, trades=3)


def test_fills_during_a_disconnect_are_read_when_it_is_over(rare: ComposedBot) -> None:
    before, cycles = rare.exchange.last_seq(), rare.cycles(MASTER)
    fault(rare, {"kind": "drop_request"}, None, "ws/connect", times=2)
    fault(rare, {"kind": "close", "code": 1001}, "master", "ws/heartbeat")
    wait_until(lambda: applied(rare) > 1, seconds=PATIENCE, what="the connection to be gone")
    # More than the fifty trades that a snapshot tells again.
    for _ in range(55):
        rare.hand.trades("buy", "0.001", SYMBOL)
    settle(rare)
    assert rare.cycles(MASTER) == cycles
    sell_all(rare)
    assert problems(rare) == []
    assert all(len(accepted(rare, name, before, side="buy")) <= 55 for name in USERS)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("kind", ["gap", "reorder", "duplicate", "close"])
def test_what_a_stream_has_missed_is_read_at_once_and_not_with_the_next_cycle(
    rare: ComposedBot, kind: str, nth: int
) -> None:
    before, cycles = rare.exchange.last_seq(), rare.cycles(MASTER)
    fault(rare, {"kind": kind}, "master", "ws/executions", nth=nth)
    # The money that moved does not give it away.
    fault(rare, {"kind": "gap"}, "master", "ws/balances", times=None)
    rare.hand.trades("buy", "0.02", SYMBOL)
    settle(rare)
    finish(rare, before)
    assert rare.cycles(MASTER) == cycles


def test_what_the_stream_tells_counts_though_the_readings_do_not_show_it_yet(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    bot.exchange.fault({"kind": "lookup_lag", "seconds": 600}, times=None)
    bot.hand.trades("buy", "0.02", SYMBOL)
    settle(bot)
    cycles = bot.cycles(MASTER)
    wait_until(lambda: bot.cycles(MASTER) > cycles + 1, seconds=PATIENCE, what="readings that show nothing of it")
    bot.hand.trades("buy", "0.01", SYMBOL)
    settle(bot)
    finish(bot, before, trades=2)


def test_a_connection_that_says_nothing_is_made_anew(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    fault(bot, {"kind": "silence", "seconds": 600}, "master", "ws/heartbeat")
    wait_until(lambda: applied(bot), seconds=PATIENCE, what="the silence")
    wait_until(lambda: not is_live(bot, MASTER), seconds=PATIENCE, what="somebody to notice")
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: all_live(bot), seconds=PATIENCE, what="a new connection, though the old one never ended")
    finish(bot, before)


def test_without_any_stream_the_readings_bring_the_fills_and_orders_go_over_rest_and_back(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    fault(bot, {"kind": "drop_request"}, None, "ws/connect", times=None)
    for account in ACCOUNTS:
        name = "master" if account == MASTER else str(account.user_id)
        fault(bot, {"kind": "close", "code": 1006}, name, "ws/heartbeat")
    wait_until(
        lambda: not any(is_live(bot, account) for account in ACCOUNTS), seconds=PATIENCE, what="no stream to be up"
    )
    bot.hand.trades("buy", "0.02", SYMBOL)
    settle(bot)
    for name in USERS:
        assert [line["endpoint"] for line in accepted(bot, name, before)] == ["AddOrder"]
    bot.exchange.clear_faults()
    wait_until(lambda: all_live(bot), seconds=PATIENCE, what="the sockets to be back")
    bot.hand.trades("buy", "0.01", SYMBOL)
    settle(bot)
    for name in USERS:
        assert [line["endpoint"] for line in accepted(bot, name, before)] == ["AddOrder", "ws/add_order"]
    finish(bot, before, trades=2)


def test_a_token_that_is_refused_is_replaced_and_nothing_is_missed(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    fault(bot, {"kind": "stale_token"}, "master", "ws/subscribe", times=2)
    fault(bot, {"kind": "close", "code": 1001}, "master", "ws/heartbeat")
    wait_until(lambda: applied(bot) > 1, seconds=PATIENCE, what="a refused subscription")
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: all_live(bot), seconds=PATIENCE, what="the stream to be back with another token")
    finish(bot, before)


# -- a user's orders --------------------------------------------------------------------------------------------------
LOST = {"kind": "drop_response"}
TAKEN: dict[str, Fault] = {
    "the answer is lost": LOST,
    "the answer is late": {"kind": "delay", "seconds": 3, "part": "answer"},
    "the connection ends before the answer": {"kind": "close", "code": 1006},
    "the exchange closes before the answer": {"kind": "close", "code": 1001},
    "the answer is nonsense": {"kind": "body", "text": '{"method":"add_order","success":true}'},
}


@pytest.mark.parametrize("action", TAKEN.values(), ids=TAKEN.keys())
def test_an_order_that_was_taken_is_made_once_though_nobody_heard_so(bot: ComposedBot, action: Fault) -> None:
    before = bot.exchange.last_seq()
    fault(bot, action, "ann", "ws/add_order")
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: applied(bot), seconds=PATIENCE, what="the fault to strike")
    finish(bot, before)


def test_an_order_whose_answer_and_events_are_lost_is_found_by_asking(bot: ComposedBot) -> None:
    before = bot.exchange.last_seq()
    fault(bot, LOST, "ann", "ws/add_order")
    fault(bot, {"kind": "gap"}, "ann", "ws/executions", times=None)
    bot.hand.trades("buy", "0.02", SYMBOL)
    settle(bot)
    assert len(accepted(bot, "ann", before)) == 1
    finish(bot, before)


NOT_TAKEN: dict[str, Fault] = {
    "ann": {"kind": "delay", "seconds": 3},  # it arrives after its deadline
    "bob": {"kind": "drop_request"},
    "cat": {"kind": "api_error", "text": "EService:Unavailable"},
}


def test_an_order_of_which_nobody_knows_whether_it_was_taken_is_never_sent_twice(bot: ComposedBot) -> None:
    """All three at once, because believing that there is no order takes long."""
    before = bot.exchange.last_seq()
    for name, action in NOT_TAKEN.items():
        fault(bot, action, name, "ws/add_order")
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: applied(bot) == len(NOT_TAKEN), seconds=PATIENCE, what="the faults to strike")
    settle(bot)
    entries = {name: len(accepted(bot, name, before)) for name in USERS}
    assert set(entries.values()) <= {0, 1}, answers(bot)
    # Whatever became of it is what the books say: held or not, and answered.
    finish(bot, before, holders=[name for name, count in entries.items() if count])


@pytest.mark.parametrize(
    "action",
    [{"kind": "stale_token"}, {"kind": "api_error", "text": "EOrder:Rate limit exceeded"}],
    ids=["stale-token", "rate-limit"],
)
def test_an_order_that_was_certainly_refused_for_the_moment_is_made_after_all(bot: ComposedBot, action: Fault) -> None:
    before = bot.exchange.last_seq()
    fault(bot, action, "ann", "ws/add_order")
    bot.hand.trades("buy", "0.02", SYMBOL)
    wait_until(lambda: applied(bot), seconds=PATIENCE, what="the fault to strike")
    finish(bot, before)


# -- beginnings and ends ----------------------------------------------------------------------------------------------
def test_an_exchange_that_was_killed_and_comes_back_costs_no_fill_and_no_order_twice(tmp_path: Path) -> None:
    with ComposedBot(
        tmp_path, USERS, configuration=CONFIGURATION, wire=OVER_WEBSOCKET, exchange_state=tmp_path / "exchange"
    ) as bot:
        wait_until(lambda: all_live(bot), seconds=PATIENCE, what="all streams")
        bot.hand.trades("buy", "0.02", SYMBOL)
        settle(bot)
        bot.exchange.kill()
        wait_until(lambda: not is_live(bot, MASTER), seconds=PATIENCE, what="the bot to notice")
        bot.exchange.start()
        bot.hand.trades("buy", "0.01", SYMBOL)
        wait_until(lambda: all_live(bot), seconds=PATIENCE, what="all streams to be back")
        settle(bot)
        # Who was not ready yet when the trade came to light has answered so; nobody has two orders.
        copied = [len(accepted(bot, name, side="buy")) for name in USERS]
        assert set(copied) <= {1, 2}, answers(bot)
        bot.hand.trades("buy", "0.01", SYMBOL)
        settle(bot)
        assert [len(accepted(bot, name, side="buy")) for name in USERS] == [count + 1 for count in copied]
        sell_all(bot)
        assert problems(bot) == []
