"""The whole bot at Alpaca over opening and close: what it enters, what it owes meanwhile, and what it sells then."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlalchemy import insert

from bot.brokers import shared_parts
from bot.brokers.alpaca.hours import MarketHours
from bot.brokers.paper_venue import PaperVenue
from bot.composition import World, compose
from bot.copy_trade_engine import start_copy_engine
from bot.domain.account import AccountRef, BrokerType
from bot.domain.trading_session import TradingSession
from bot.observability.metrics import Metrics
from bot.observability.redactor import Redactor
from bot.seams import failpoints
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings.loading import load_settings
from bot.storage import migrations
from bot.storage.schema import meta
from bot.storage.store import Store, sqlite_url
from tests.exchange_process import ExchangeProcess, PaperAccount, wait_until
from tests.integration.composed_bot import Hold

MASTER = AccountRef.master(BrokerType.ALPACA)
ANN = AccountRef.user(BrokerType.ALPACA, "ann")
CONFIGURATION = """\
masters:
  - {broker: alpaca}
strategy:
  plugin: tests.integration.composed_bot:PatientStrategy
pace:
  paper: {cycle_seconds: %s}
alpaca:
  settle_margin_seconds: 1
risk: {scan_symbols_limit: 1}
"""
PATIENCE_SECONDS = 40.0


class StockBot:
    """A master and ann at Alpaca; the master is traded by hand. It hears of the session within half a second."""

    def __init__(self, directory: Path, *, cycle_seconds: int = 1) -> None:
        config = directory / "config"
        (config / "users").mkdir(parents=True)
        (config / "nija.yaml").write_text(CONFIGURATION % cycle_seconds, encoding="utf-8")
        rows = [{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "alpaca"}]
        (config / "users" / "retail_alpaca.json").write_text(json.dumps(rows), encoding="utf-8")
        self.exchange = ExchangeProcess(seed=5)
        self.exchange.control("POST", "/session", {"mode": "open"})
        self.key: PaperAccount = self.exchange.open_account("alpaca", "master", {"USD": 100_000})
        self.hold = Hold()
        self.stop = threading.Event()
        settings = load_settings(environ={"STATE_DIR": str(directory)}, config_dir=config)
        migrations.upgrade(sqlite_url(directory / "nija.db"))
        self.store = Store(sqlite_url(directory / "nija.db"))
        self.store.start()
        self.store.write(lambda connection: connection.execute(insert(meta).values(key="install_id", value="stocks")))
        clock = SystemClock()
        self.parts = compose(
            World(
                settings=settings,
                environ={},
                store=self.store,
                clock=clock,
                ids=SystemIds(),
                install_id="stocks",
                metrics=Metrics(),
                redactor=Redactor(),
                stop=self.stop,
                paper=PaperVenue.attach(self.exchange.control_url, self.exchange.token, clock),
                on_fatal=lambda _why: None,
            )
        )

    def start(self) -> None:
        start_copy_engine(self.parts.engine)
        self.parts.watchdog.start()
        self.parts.trader.start_independent_trading()

    def close(self) -> None:
        failpoints.install("")
        self.hold.release()
        self.parts.watchdog.stop()
        self.parts.trader.stop_independent_trading(20)
        self.parts.engine.stop()
        self.parts.manager.close()
        self.parts.shared.close()
        self.store.close()
        self.exchange.stop()
        self.exchange._session.close()
        self.exchange._stderr.close()

    def by_hand(self, side: str, quantity: str, stock: str = "AAPL") -> None:
        """The owner of the master account trades beside the bot."""
        answer = requests.post(
            f"{self.exchange.rest_url('alpaca')}/v2/orders",
            json={"symbol": stock, "side": side, "type": "market", "time_in_force": "day", "qty": quantity},
            headers={"APCA-API-KEY-ID": self.key.api_key, "APCA-API-SECRET-KEY": self.key.api_secret},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text

    def session(self) -> TradingSession:
        """As ann's broker knows it; whoever reads the hours tells all."""
        broker = self.parts.manager.broker_of(ANN)
        assert broker is not None
        return broker.trading_session()

    def ready(self) -> bool:
        return all(status.health.state == "healthy" for status in self.parts.statuses.values())

    def copies(self) -> list[tuple[str, str, str]]:
        """(status, reason, last error) of ann's copies, the oldest first."""
        with self.store.read() as connection:
            rows = connection.exec_driver_sql(
                "SELECT status, reason, last_error FROM copy_result WHERE account_id = 'ann_alpaca' ORDER BY planned_at"
            )
            return [(row[0], row[1], row[2]) for row in rows]

    def held(self, name: str, stock: str = "AAPL") -> Decimal:
        """Shares, by the exchange's own journal."""
        fills = self.exchange.journal(type="fill", account=name, symbol=f"{stock}/USD")
        signs = {"buy": 1, "sell": -1}
        return sum((signs[line["side"]] * Decimal(line["quantity"]) for line in fills), Decimal(0))

    def orders_of_ann(self, seen: int) -> list[str]:
        """Client ids of all her orders that came to the exchange since, taken or not."""
        lines = self.exchange.journal(seen, type="request", account="ann", endpoint="orders")
        return [line["client_order_id"] for line in lines if line["client_order_id"] is not None]


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[StockBot]:
    monkeypatch.setattr(shared_parts, "MarketHours", partial(MarketHours, max_age_seconds=0.5))
    made = StockBot(tmp_path, cycle_seconds=getattr(request, "param", 1))
    try:
        made.start()
        wait_until(made.ready, seconds=PATIENCE_SECONDS, what="a connected master and ann")
        yield made
    finally:
        made.close()


def within(bot: StockBot, status: str, copies: int) -> None:
    wait_until(
        lambda: len(bot.copies()) == copies and bot.copies()[-1][0] == status,
        seconds=PATIENCE_SECONDS,
        what=f"{copies} copies, the last one {status}",
    )


def test_an_exit_that_the_close_has_overtaken_is_owed_over_it_and_sold_at_the_opening(bot: StockBot) -> None:
    bot.by_hand("buy", "10")
    within(bot, "copied", 1)
    bought = bot.held("ann")
    assert bought > 0
    bot.hold.at("exit_planned", "ann_alpaca")
    bot.by_hand("sell", "10")
    wait_until(lambda: "ann_alpaca" in bot.hold.held, seconds=PATIENCE_SECONDS, what="ann's planned exit")
    seen = bot.exchange.last_seq()
    opening = datetime.now(UTC) + timedelta(seconds=12)
    bot.exchange.control("POST", "/session", {"mode": "closed", "next_open": opening.isoformat()})
    wait_until(lambda: bot.session().is_open is False, seconds=10, what="the word about the close")
    bot.hold.release()
    wait_until(
        lambda: "the opening at" in bot.copies()[-1][2], seconds=PATIENCE_SECONDS, what="the word about the opening"
    )
    assert bot.held("ann") == bought
    assert bot.orders_of_ann(seen) == [], "nothing was left at the venue for later"
    within(bot, "copied", 2)
    assert bot.held("ann") == 0
    assert len(bot.orders_of_ann(seen)) == 1


def test_an_entry_right_before_the_close_is_skipped_and_says_why(bot: StockBot) -> None:
    closing = datetime.now(UTC) + timedelta(seconds=10)
    bot.exchange.control("POST", "/session", {"mode": "open", "next_close": closing.isoformat()})
    wait_until(lambda: bot.session().is_open is False, seconds=9, what="the last moments")
    seen = bot.exchange.last_seq()
    bot.by_hand("buy", "10")
    within(bot, "skipped", 1)
    assert bot.copies()[0][1] == "market_closed"
    assert bot.orders_of_ann(seen) == []
    assert bot.held("ann") == 0
    waiting = bot.parts.statuses[MASTER].waiting_for
    assert waiting.startswith("market closed until")


@pytest.mark.parametrize("bot", [600], indirect=True, ids=["a cycle of ten minutes"])
def test_a_trade_of_the_owner_is_copied_when_the_stream_rings_and_not_a_cycle_later(bot: StockBot) -> None:
    master = bot.parts.manager.broker_of(MASTER)
    assert master is not None
    wait_until(
        lambda: bot.exchange.journal(type="request", endpoint="ws/listen"), seconds=20, what="a master that listens"
    )
    bot.by_hand("buy", "10")
    within(bot, "copied", 1)
    bot.by_hand("sell", "10")
    within(bot, "copied", 2)
    assert bot.held("ann") == 0
    assert bot.parts.statuses[MASTER].health.cycles == 1
