"""The whole bot at Coinbase with its private stream: what the master trades is booked and copied at once, and once.

The cycles are far apart: what happens in these tests happens because the stream rang.
"""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.paper_venue import PaperVenue
from bot.brokers.trade_bell import SECOND_LOOK_SECONDS
from bot.composition import World, compose
from bot.copy_trade_engine import start_copy_engine
from bot.domain.account import AccountRef, BrokerType
from bot.observability.metrics import Metrics
from bot.observability.redactor import Redactor
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings.loading import load_settings
from bot.storage import migrations
from bot.storage.schema import meta
from bot.storage.store import Store, sqlite_url
from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.coinbase_caller import CoinbaseCaller

MASTER = AccountRef.master(BrokerType.COINBASE)
PATIENCE_SECONDS = 60.0
# No cycle, no reading and no look at the market comes in between.
CONFIGURATION = """\
masters:
  - {broker: coinbase}
strategy:
  plugin: tests.integration.composed_bot:PatientStrategy
pace:
  paper: {cycle_seconds: 600, reconcile_seconds: 600}
coinbase:
  settle_margin_seconds: 1
risk: {scan_symbols_limit: 1}
market_watch: {enabled: false}
"""


class CoinbaseBot:
    """A master and ann at Coinbase; the master is traded by hand, in a market that stands still."""

    def __init__(self, directory: Path) -> None:
        config = directory / "config"
        (config / "users").mkdir(parents=True)
        (config / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        rows = [{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "coinbase"}]
        (config / "users" / "retail_coinbase.json").write_text(json.dumps(rows), encoding="utf-8")
        self.exchange = ExchangeProcess(seed=5)
        self.exchange.pause()
        self.hand = CoinbaseCaller(self.exchange, self.exchange.open_account("coinbase", "master", {"USD": 100_000}))
        self.traded = 0
        settings = load_settings(environ={"STATE_DIR": str(directory)}, config_dir=config)
        migrations.upgrade(sqlite_url(directory / "nija.db"))
        self.store = Store(sqlite_url(directory / "nija.db"))
        self.store.start()
        self.store.write(lambda connection: connection.execute(insert(meta).values(key="install_id", value="rings")))
        clock = SystemClock()
        self.parts = compose(
            World(
                settings=settings,
                environ={},
                store=self.store,
                clock=clock,
                ids=SystemIds(),
                install_id="rings",
                metrics=Metrics(),
                redactor=Redactor(),
                stop=threading.Event(),
                paper=PaperVenue.attach(self.exchange.control_url, self.exchange.token, clock),
                on_fatal=lambda _why: None,
            )
        )

    def start(self) -> None:
        start_copy_engine(self.parts.engine)
        self.parts.watchdog.start()
        self.parts.trader.start_independent_trading()

    def close(self) -> None:
        self.parts.watchdog.stop()
        self.parts.trader.stop_independent_trading(20)
        self.parts.engine.stop()
        self.parts.manager.close()
        self.parts.shared.close()
        self.store.close()
        self.hand.close()
        self.exchange.stop()
        self.exchange._session.close()
        self.exchange._stderr.close()

    def trades(self, side: str) -> None:
        """The owner of the master account trades beside the bot, each time more: copies must not look alike."""
        self.traded += 1
        size = format(Decimal("0.02") + self.traded * Decimal("0.003"), "f")
        self.hand.placed(f"by-hand-{self.traded}", "market_market_ioc", side=side, base_size=size)

    def requests(self, endpoint: str) -> list[dict[str, Any]]:
        return self.exchange.journal(type="request", account="master", brokerage="coinbase", endpoint=endpoint)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.store.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def booked(self, label: str) -> Decimal:
        rows = self.rows(f"SELECT quantity FROM position WHERE account_id = '{label}'")
        return sum((Decimal(row[0]) for row in rows), Decimal(0))

    def held(self, name: str) -> Decimal:
        """Base units, by the exchange's own journal."""
        fills = self.exchange.journal(type="fill", account=name, symbol="BTC/USD")
        signs = {"buy": 1, "sell": -1}
        return sum((signs[line["side"]] * Decimal(line["quantity"]) for line in fills), Decimal(0))

    def copied(self) -> None:
        """Wait until each of the master's trades is a signal, and each signal one copy of ann's."""
        wait_until(
            lambda: len(self.rows("SELECT 1 FROM copy_result WHERE status = 'copied'")) == self.traded,
            seconds=PATIENCE_SECONDS,
            what=f"{self.traded} copies, not {self.rows('SELECT status, reason, last_error FROM copy_result')}",
        )
        assert len(self.rows("SELECT 1 FROM signal")) == self.traded
        assert len(self.exchange.journal(type="accept", account="ann")) == self.traded
        assert self.booked("coinbase") == self.held("master") > 0
        wait_until(lambda: self.booked("ann_coinbase") == self.held("ann") > 0, what="ann's fills are booked")
        assert self.parts.statuses[MASTER].health.cycles == 1, "no cycle has helped"

    def is_live(self) -> bool:
        master = self.parts.manager.broker_of(MASTER)
        assert isinstance(master, CoinbaseBroker) and master._bell is not None
        return master._bell.stream.is_live

    def quiet(self) -> None:
        """Wait until all looks into the history are over that the stream has asked for."""

        def unchanged() -> bool:
            before = len(self.requests("orders/historical/fills"))
            threading.Event().wait(SECOND_LOOK_SECONDS + 0.5)
            return before == len(self.requests("orders/historical/fills"))

        wait_until(unchanged, seconds=PATIENCE_SECONDS, what="nobody reads any more")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoinbaseBot]:
    made = CoinbaseBot(tmp_path_factory.mktemp("bot"))
    try:
        made.start()
        wait_until(
            lambda: all(status.health.cycles == 1 for status in made.parts.statuses.values()),
            seconds=PATIENCE_SECONDS,
            what="a first cycle of both",
        )
        yield made
    finally:
        made.close()


@pytest.fixture
def bot(running: CoinbaseBot) -> CoinbaseBot:
    running.exchange.clear_faults()
    wait_until(running.is_live, seconds=PATIENCE_SECONDS, what="the stream is live")
    return running


def test_a_trade_by_the_masters_hand_is_copied_without_waiting_for_a_cycle(bot: CoinbaseBot) -> None:
    bot.quiet()
    for side in ("BUY", "BUY", "SELL"):
        bot.trades(side)
        bot.copied()


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("gap", {"nth": 1}),
        ("gap", {"times": None}),
        ("duplicate", {"times": None}),
        ("reorder", {"nth": 1}),
        ("close 1006", {"nth": 1}),
        ("silence 600", {"nth": 1}),
    ],
)
def test_whatever_becomes_of_the_messages_each_trade_makes_one_signal(
    bot: CoinbaseBot, action: str, more: dict[str, int | None]
) -> None:
    kind, _, detail = action.partition(" ")
    told: dict[str, object] = {"kind": kind}
    told |= {"code": int(detail)} if kind == "close" else {"seconds": int(detail)} if detail else {}
    bot.exchange.fault(told, account="master", endpoint="ws/user", **more)
    bot.trades("BUY")
    bot.copied()
    bot.exchange.clear_faults()
    bot.trades("BUY")
    bot.copied()


def test_trades_during_a_disconnect_are_read_when_it_is_over(bot: CoinbaseBot) -> None:
    bot.exchange.fault("drop_request", times=None, brokerage="coinbase", endpoint="ws/connect")
    closing = bot.exchange.fault({"kind": "close", "code": 1001}, account="master", endpoint="ws/heartbeat")

    def struck() -> bool:
        return any(one["id"] == closing and one["applied"] for one in bot.exchange.faults())

    wait_until(struck, seconds=PATIENCE_SECONDS, what="the connection is gone, and no way back")
    before = bot.booked("coinbase")
    bot.trades("BUY")
    bot.trades("BUY")
    assert bot.booked("coinbase") == before
    bot.exchange.clear_faults()
    bot.copied()
    bot.trades("BUY")
    bot.copied()
