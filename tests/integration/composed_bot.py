"""The whole bot inside the test's process, on a paper exchange of its own, so that its threads can be held up."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert, text

from bot.brokers.paper_venue import PaperVenue
from bot.composition import Parts, World, compose
from bot.copy_trade_engine import start_copy_engine
from bot.domain.account import AccountRef, BrokerType
from bot.observability.metrics import Metrics
from bot.observability.redactor import Redactor
from bot.seams import failpoints
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings.loading import load_settings
from bot.storage import migrations
from bot.storage.schema import meta
from bot.storage.store import Store, sqlite_url
from tests.acceptance.hand_traded import NONCE_WINDOW_NS, Hand
from tests.bot_process import REST_ONLY
from tests.exchange_process import ExchangeProcess

KRAKEN = BrokerType.KRAKEN
MASTER = AccountRef.master(KRAKEN)
INSTALL_ID = "composed"
CONFIGURATION = """\
masters:
  - {broker: kraken}
strategy:
  plugin: tests.integration.composed_bot:PatientStrategy
pace:
  paper: {cycle_seconds: 1}
kraken:
  order_deadline_seconds: 5
  settle_margin_seconds: 1
  private_call_lock: per_key
  parked_key_seconds: 0.5
risk: {scan_symbols_limit: 1}
supervision: {step_seconds: 5, suspect_after_seconds: 1, quarantine_after_seconds: 1, most_hung_threads: 50}
"""


def user(user_id: str) -> AccountRef:
    return AccountRef.user(KRAKEN, user_id)


class Hold:
    """Keeps named threads at a failpoint, each once, until `release`."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._lock = threading.Lock()
        self._wanted: dict[str, set[str]] = {}
        self.held: dict[str, threading.Thread] = {}

    def at(self, place: str, *accounts: str) -> None:
        """Each of these accounts' threads stops the next time it comes to this place."""
        self.threads_at(place, *(f"Trader-{account}" for account in accounts))

    def threads_at(self, place: str, *names: str) -> None:
        self._wanted[place] = set(names)
        failpoints._plan[place] = lambda: self._come(place)

    def release(self) -> None:
        self._go.set()

    def _come(self, place: str) -> None:
        thread = threading.current_thread()
        with self._lock:
            if thread.name not in self._wanted[place]:
                return
            self._wanted[place].discard(thread.name)
            self.held[thread.name.removeprefix("Trader-")] = thread
        self._go.wait(300)


class ComposedBot:
    """A context manager; the master is traded by `hand`, its strategy by `PatientStrategy.ask`.

    With `exchange_state` the exchange can be killed and started again as the same.
    """

    def __init__(
        self,
        directory: Path,
        users: Sequence[str],
        *,
        configuration: str = CONFIGURATION,
        wire: Mapping[str, str] = REST_ONLY,
        exchange_state: Path | None = None,
    ) -> None:
        PatientStrategy.ask = _nothing
        config = directory / "config"
        (config / "users").mkdir(parents=True)
        (config / "nija.yaml").write_text(configuration, encoding="utf-8")
        rows = [
            {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": "kraken"} for name in users
        ]
        (config / "users" / "retail_kraken.json").write_text(json.dumps(rows), encoding="utf-8")
        self.exchange = ExchangeProcess(seed=5, state=exchange_state)
        self.exchange.pause()
        opened = self.exchange.open_account("kraken", "master", {"USD": 100_000}, nonce_window=NONCE_WINDOW_NS)
        self.hand = Hand(self.exchange.rest_url("kraken"), opened)
        self.hold = Hold()
        self.fatal: list[str] = []
        self.stop = threading.Event()
        settings = load_settings(environ={"STATE_DIR": str(directory), **wire}, config_dir=config)
        migrations.upgrade(sqlite_url(directory / "nija.db"))
        self.store = Store(sqlite_url(directory / "nija.db"))
        self.store.start()
        self.store.write(lambda connection: connection.execute(insert(meta).values(key="install_id", value=INSTALL_ID)))
        clock = SystemClock()
        self.metrics = Metrics()
        self.parts: Parts = compose(
            World(
                settings=settings,
                environ={},
                store=self.store,
                clock=clock,
                ids=SystemIds(),
                install_id=INSTALL_ID,
                metrics=self.metrics,
                redactor=Redactor(),
                stop=self.stop,
                paper=PaperVenue.attach(self.exchange.control_url, self.exchange.token, clock),
                on_fatal=self.fatal.append,
            )
        )

    def __enter__(self) -> Self:
        start_copy_engine(self.parts.engine)
        self.parts.watchdog.start()
        self.parts.trader.start_independent_trading()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failpoints.install("")
        self.hold.release()
        PatientStrategy.ask = _nothing
        self.parts.watchdog.stop()
        self.parts.trader.stop_independent_trading(20)
        self.parts.engine.stop()
        self.parts.manager.close()
        self.parts.shared.close()
        self.store.close()
        self.hand.session.close()
        self.exchange.stop()
        self.exchange._session.close()
        self.exchange._stderr.close()

    def cycles(self, account: AccountRef) -> int:
        return self.parts.statuses[account].health.cycles

    def state(self, account: AccountRef) -> str:
        return str(self.parts.statuses[account].health.state)

    def all_trade(self) -> bool:
        return all(self.cycles(account) > 0 for account in self.parts.statuses)

    def epoch(self, account: AccountRef) -> int:
        (row,) = self.rows("SELECT epoch FROM lease WHERE account_id = :account", account=account.label)
        return int(row["epoch"])

    def rows(self, query: str, **values: str) -> list[Mapping[str, Any]]:
        with self.store.read() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def held(self, name: str) -> Decimal:
        """Base units of BTC that an account holds by the exchange's own journal."""
        fills = self.exchange.journal(type="fill", account=name, symbol="BTC/USD")
        signs = {"buy": 1, "sell": -1}
        return sum((signs[line["side"]] * Decimal(line["quantity"]) for line in fills), Decimal(0))

    def booked(self, account: AccountRef) -> Decimal:
        rows = self.rows("SELECT quantity FROM position WHERE account_id = :account", account=account.label)
        return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))


def _nothing() -> None:
    """A strategy that answers at once."""


class PatientStrategy:
    """Never trades by itself; does what a test tells it to whenever it is asked."""

    name = "patient"
    parameters = ()
    candles_needed = 1
    ask: Callable[[], None] = _nothing

    def __init__(self, _values: object) -> None:
        pass

    def entry(self, _view: object) -> object:
        from bot.strategies.interface import NoEntry

        PatientStrategy.ask()
        return NoEntry("this strategy never trades")

    def exit(self, _view: object, _position: object) -> None:
        return None
