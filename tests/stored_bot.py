"""What a bot would have left in its store, written by a test: to see what the commands make of it."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL

from bot.domain.account import AccountRef, BrokerType
from bot.storage import accounts, migrations, process
from bot.storage.store import Store, sqlite_url
from tests.bot_process import ROOT

KRAKEN = AccountRef.master(BrokerType.KRAKEN)
COINBASE = AccountRef.master(BrokerType.COINBASE)
DAIVON = AccountRef.user(BrokerType.KRAKEN, "daivon_frazier")

CONFIGURATION = """\
masters:
  - {broker: kraken}
  - {broker: coinbase}
"""
USERS = """\
[
  {"user_id": "daivon_frazier", "name": "Daivon Frazier", "account_type": "retail", "broker_type": "kraken",
   "enabled": true, "description": ""}
]
"""


def now() -> datetime:
    return datetime.now(UTC)


def write_configuration(directory: Path, *, masters: str = CONFIGURATION, users: str = USERS) -> Path:
    """Two masters and one user of Kraken; returns what `NIJA_CONFIG_DIR` must be."""
    (directory / "config" / "users").mkdir(parents=True, exist_ok=True)
    (directory / "config" / "nija.yaml").write_text(masters, encoding="utf-8")
    (directory / "config" / "users" / "retail_kraken.json").write_text(users, encoding="utf-8")
    return directory / "config"


def run_script(name: str, *arguments: str, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """A root script as an operator starts it."""
    return subprocess.run(
        [sys.executable, name, *arguments],
        cwd=ROOT,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class StoredBot:
    """A store in a directory; accounts in it are healthy and trading unless a test says otherwise."""

    def __init__(self, directory: Path, url: URL | None = None) -> None:
        self.directory = directory
        url = sqlite_url(directory / "nija.db") if url is None else url
        migrations.upgrade(url)
        self.store = Store(url)
        self.store.start()

    def runs(self, *, pid: int | None = None, heartbeat_ago: float = 0.0, mode: str = "paper") -> None:
        """As a bot of this very process that has started a minute ago."""
        pid = os.getpid() if pid is None else pid
        started = now() - timedelta(seconds=60)
        self.store.write(lambda connection: process.start_process(connection, pid=pid, mode=mode, now=started))
        beat = now() - timedelta(seconds=heartbeat_ago)
        self.store.write(lambda connection: process.beat(connection, now=beat))

    def ended(self, reason: str = "signal SIGTERM") -> None:
        self.store.write(lambda connection: process.end_process(connection, reason=reason, now=now()))

    def account(self, ref: AccountRef, *, name: str = "", **changes: Any) -> None:
        """Write or overwrite one account; `changes` are columns of `account_state`."""
        named = name or ref.label
        self.store.write(
            lambda connection: accounts.remember_account(connection, ref, name=named, enabled=True, now=now())
        )
        values = _trading() | changes
        self.store.write(lambda connection: accounts.save_state(connection, ref.label, values))

    def accounts(self, refs: Iterable[AccountRef] = (KRAKEN, COINBASE, DAIVON)) -> None:
        for ref in refs:
            self.account(ref, name="Daivon Frazier" if ref == DAIVON else "")

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _trading() -> dict[str, Any]:
    moment = now()
    earlier = moment - timedelta(seconds=50)
    facts = {f"{name}_at": earlier for name in ("configured", "authenticated", "permitted", "funded", "armed")}
    return facts | {
        "updated_at": moment,
        "mode": "paper",
        "health": "healthy",
        "health_reason": "",
        "health_since": earlier,
        "step": "waiting",
        "cycles": 9,
        "last_cycle_at": moment,
        "error_count": 0,
        "waiting_for": "",
        "last_order_at": earlier,
        "last_fill_at": earlier,
        "balance_status": "fresh",
        "balance_reason": "",
        "balance_errors": 0,
        "balance_taken_at": moment,
        "quote_currency": "USD",
        "cash_available": Decimal("900.5"),
        "cash_held": Decimal("49.5"),
        "holdings_json": '{"USD": {"available": "900.5", "held": "49.5"}}',
    }
