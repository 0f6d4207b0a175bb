"""A whole bot against the paper exchange: what happened while it was dead, and what people do beside it."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from bot.seams.ids import order_tag
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient

SYMBOL = "ETH/USD"
CONFIGURATION = """\
masters:
  - {broker: kraken}
pace:
  paper: {cycle_seconds: 0.4, reconcile_seconds: 1}
risk: {max_positions: 1, scan_symbols_limit: 1}
"""
ANN = {"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "kraken"}
RECOVERY = ("open_orders_compared", "history_read", "foreign_noted", "history_compared", "holdings_compared")
NONCE_WINDOW_NS = 60_000_000_000


class Owner(KrakenClient):
    """The owner of an account beside the bot, with the same key."""

    def next_nonce(self) -> int:
        self._nonce = max(self._nonce + 1, time.time_ns())
        return self._nonce

    def trades(self, side: str, quantity: str, **more: str) -> str:
        """Returns the venue's order id."""
        fields = {"pair": "ETHUSD", "type": side, "ordertype": "market", "volume": quantity} | more
        order_id: str = self.ok("AddOrder", fields)["txid"][0]
        return order_id


class Installation:
    """Kraken with one user, in a market that stands still: all trades are by hand, or copies."""

    def __init__(self, directory: Path) -> None:
        self.state, self._directory, self._starts = directory / "state", directory, 0
        self.state.mkdir()
        users = directory / "config" / "users"
        users.mkdir(parents=True)
        (directory / "config" / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        (users / "retail_kraken.json").write_text(json.dumps([ANN]), encoding="utf-8")
        self.exchange = ExchangeProcess(seed=5)
        self.exchange.pause()
        self.master, self.ann = self._owner("master", 100_000), self._owner("ann", 50_000)

    def _owner(self, name: str, dollars: int) -> Owner:
        account = self.exchange.open_account("kraken", name, {"USD": dollars}, nonce_window=NONCE_WINDOW_NS)
        return Owner(self.exchange.rest_url("kraken"), account)

    def start(self) -> BotProcess:
        """A bot whose two accounts are hydrated."""
        bot = self._bot()
        try:
            bot.says(" kraken is hydrated")
            bot.says("ann_kraken is hydrated")
        except BaseException:
            bot.kill()
            raise
        return bot

    def killed_at(self, failpoint: str) -> None:
        """A bot that dies of SIGKILL at this step."""
        with self._bot(NIJA_FAILPOINTS=f"{failpoint}:kill") as bot:
            wait_until(lambda: bot.process.poll() is not None, seconds=30, what=f"a death at {failpoint}")
            assert bot.process.returncode == -9, bot.log()

    def _bot(self, **environ: str) -> BotProcess:
        self._starts += 1
        there = environment(self.state, self.exchange, NIJA_CONFIG_DIR=str(self._directory / "config"), **environ)
        return BotProcess(there, log=self._directory / f"out{self._starts}.txt")

    def own_id(self) -> str:
        """A client order id such as this installation gives, of which its books know nothing."""
        install_id = json.loads((self.state / "install.json").read_text(encoding="utf-8"))["install_id"]
        return order_tag(install_id) + f"{7:028x}"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.state / 'nija.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def held(self, name: str) -> Decimal:
        """What an account has bought and not sold, by the exchange's journal."""
        lines = self.exchange.journal(type="fill", account=name, symbol=SYMBOL)
        return sum((Decimal(line["quantity"]) * (1 if line["side"] == "buy" else -1) for line in lines), Decimal(0))

    def comes_to(self, name: str, quantity: str) -> None:
        wait_until(lambda: self.held(name) == Decimal(quantity), seconds=20, what=f"{name} holds {quantity} {SYMBOL}")

    def answers(self) -> list[tuple[Any, ...]]:
        """(status, reason) of ann's copies, oldest first."""
        return self.rows(
            "SELECT c.status, c.reason FROM copy_result c JOIN signal s USING (signal_id) ORDER BY s.sequence"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.master.session.close()
        self.ann.session.close()
        self.exchange.__exit__(kind, error, trace)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path) as made:
        yield made


def test_an_order_of_ours_that_the_books_do_not_know_raises_an_alarm_and_is_left_alone(
    installation: Installation,
) -> None:
    with installation.start() as bot:
        assert bot.stop() == 0
    order_id = installation.ann.trades("buy", "0.5", ordertype="limit", price="1", cl_ord_id=installation.own_id())
    foreign = installation.ann.trades("buy", "0.5", ordertype="limit", price="1")
    with installation.start() as bot:
        bot.says(
            f"ann_kraken drift orphan_order: buy 0.5 ETH/USD (order {order_id}, client id {installation.own_id()})"
        )
        wait_until(
            lambda: installation.rows("SELECT readings FROM drift WHERE readings > 2"), seconds=20, what="three looks"
        )
        assert bot.stop() == 0
        assert foreign not in bot.log()
        assert sum("CRITICAL" in line for line in bot.log().splitlines()) == 1
    assert set(installation.ann.ok("OpenOrders")["open"]) == {order_id, foreign}
    assert installation.rows("SELECT kind, subject FROM drift WHERE cleared_at IS NULL") == [("orphan_order", order_id)]


def test_what_a_user_trades_by_hand_pauses_that_symbol_and_is_never_bought_back(installation: Installation) -> None:
    with installation.start() as bot:
        installation.master.trades("buy", "2")
        installation.comes_to("ann", "1")
        installation.ann.trades("sell", "0.4")
        bot.says("ann_kraken: ETH/USD is paused")
        installation.master.trades("buy", "2")
        wait_until(lambda: len(installation.answers()) == 2, seconds=20, what="the second entry has its answer")
        assert installation.answers() == [("copied", ""), ("skipped", "symbol_paused")]
        installation.master.trades("sell", "4")
        installation.comes_to("ann", "0")
        assert bot.stop() == 0
    orders = installation.exchange.journal(type="accept", account="ann")
    assert [line["side"] for line in orders] == ["buy", "sell", "sell"]


def test_a_bot_killed_at_each_step_of_its_recovery_finds_what_was_traded_meanwhile(
    installation: Installation,
) -> None:
    with installation.start() as bot:
        installation.master.trades("buy", "2")
        installation.comes_to("ann", "1")
        wait_until(lambda: installation.answers() == [("copied", "")], seconds=20, what="the copy is answered")
        bot.kill()
    # One half goes by its owner's hand, and the master leaves altogether.
    installation.ann.trades("sell", "0.5")
    installation.master.trades("sell", "2")
    for step in RECOVERY:
        installation.killed_at(step)
    with installation.start() as bot:
        installation.comes_to("ann", "0")
        wait_until(lambda: len(installation.answers()) == 2, seconds=20, what="the exit has its answer")
        # Lots that are not there any more are shrunk after a minute; until then the difference is shown.
        drifts = "SELECT kind, detail FROM drift WHERE cleared_at IS NULL"
        there = [("shortfall", "the account holds 0 ETH, the books have lots of 0.5")]
        wait_until(lambda: installation.rows(drifts) == there, seconds=20, what="the shortfall is shown")
        assert bot.stop() == 0
    assert installation.rows("SELECT account_id, symbol FROM symbol_pause") == [("ann_kraken", SYMBOL)]
    assert all(row != (None,) for row in installation.rows("SELECT hydrated_at FROM account_state"))
