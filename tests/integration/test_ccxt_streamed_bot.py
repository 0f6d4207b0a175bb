"""The whole bot at OKX and at Binance with their private streams: a trade by hand is copied at once, and once.

The cycles are far apart: what happens in these tests happens because the stream told of it.
"""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert

from bot.brokers.by_ccxt.broker import CcxtBroker
from bot.brokers.call_reaper import CallReaper
from bot.brokers.paper_venue import PaperVenue
from bot.composition import World, compose
from bot.copy_trade_engine import start_copy_engine
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import Side
from bot.observability.metrics import Metrics
from bot.observability.redactor import Redactor
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings.loading import load_settings
from bot.storage import migrations
from bot.storage.schema import meta
from bot.storage.store import Store, sqlite_url
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.exchange_process import ExchangeProcess, wait_until

PATIENCE_SECONDS = 60.0
# No cycle, no reading and no look at the market comes in between.
CONFIGURATION = """\
masters:
  - {broker: %(broker)s}
strategy:
  plugin: tests.integration.composed_bot:PatientStrategy
pace:
  paper: {cycle_seconds: 600, reconcile_seconds: 600}
risk: {scan_symbols_limit: 1}
market_watch: {enabled: false}
"""


class StreamedBot:
    """A master and ann; the master is traded by hand, in a market that stands still."""

    def __init__(self, directory: Path, broker: BrokerType) -> None:
        self.master, clock = AccountRef.master(broker), SystemClock()
        config = directory / "config"
        (config / "users").mkdir(parents=True)
        (config / "nija.yaml").write_text(CONFIGURATION % {"broker": broker}, encoding="utf-8")
        rows = [{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": str(broker)}]
        (config / "users" / f"retail_{broker}.json").write_text(json.dumps(rows), encoding="utf-8")
        self.exchange = ExchangeProcess(seed=5)
        self.exchange.pause()
        self.wiring = Wiring(self.exchange, directory, clock, CallReaper(clock), read_seconds=10)
        self.wiring.forget_markets()
        self.hand = self.wiring.broker(self.master, balance="100000")
        self.hand.connect()
        self.hand.get_trading_pairs()
        self.traded = 0
        settings = load_settings(environ={"STATE_DIR": str(directory)}, config_dir=config)
        migrations.upgrade(sqlite_url(directory / "nija.db"))
        self.store = Store(sqlite_url(directory / "nija.db"))
        self.store.start()
        self.store.write(lambda connection: connection.execute(insert(meta).values(key="install_id", value="told")))
        self.parts = compose(
            World(
                settings=settings,
                environ={},
                store=self.store,
                clock=clock,
                ids=SystemIds(),
                install_id="told",
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
        self.wiring.close()
        self.exchange.stop()
        self.exchange._session.close()
        self.exchange._stderr.close()

    def is_live(self) -> bool:
        master = self.parts.manager.broker_of(self.master)
        assert isinstance(master, CcxtBroker) and master._stream is not None
        return master._stream.is_live

    def trades(self, side: Side, quantity: str) -> None:
        """The owner of the master account trades beside the bot."""
        self.traded += 1
        self.hand.place_order(an_order(side, quantity, symbol="BTC/USDT"))

    def counted(self, query: str) -> int:
        with self.store.read() as connection:
            return len(list(connection.exec_driver_sql(query)))

    def copied(self) -> None:
        """Wait until each of the master's trades is a signal, and each signal one copy of ann's."""
        wait_until(
            lambda: self.counted("SELECT 1 FROM copy_result WHERE status = 'copied'") == self.traded,
            seconds=PATIENCE_SECONDS,
            what=f"{self.traded} copies",
        )
        assert self.counted("SELECT 1 FROM signal") == self.traded
        assert len(self.exchange.journal(type="accept", account="ann")) == self.traded
        assert self.parts.statuses[self.master].health.cycles == 1, "no cycle has helped"

    def booked(self) -> Decimal:
        with self.store.read() as connection:
            label = self.master.label
            rows = connection.exec_driver_sql(f"SELECT quantity FROM position WHERE account_id = '{label}'")
            return sum((Decimal(row[0]) for row in rows), Decimal(0))


@pytest.fixture(params=[BrokerType.OKX, BrokerType.BINANCE], ids=str)
def bot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StreamedBot]:
    made = StreamedBot(tmp_path, request.param)
    try:
        made.start()
        wait_until(
            lambda: all(status.health.cycles == 1 for status in made.parts.statuses.values()),
            seconds=PATIENCE_SECONDS,
            what="a first cycle of both",
        )
        wait_until(made.is_live, seconds=PATIENCE_SECONDS, what="the stream is live")
        yield made
    finally:
        made.close()


def test_what_the_master_trades_by_hand_is_copied_without_waiting_for_a_cycle(bot: StreamedBot) -> None:
    bot.trades(Side.BUY, "0.1")
    bot.copied()
    bot.exchange.fault("duplicate", times=None, account="master", brokerage=str(bot.master.broker))
    bot.trades(Side.SELL, "0.04")
    bot.copied()
    assert Decimal("0.05") < bot.booked() <= Decimal("0.06"), "less the fee of the buy, in coins"
