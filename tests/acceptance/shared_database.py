"""One PostgreSQL and one exchange for several bots, each with a state directory of its own, as on several hosts."""

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.acceptance.one_brokerage import CONFIGURATION, SYMBOLS
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

USERS = [
    {
        "user_id": "ann",
        "name": "Ann",
        "account_type": "retail",
        "broker_type": "kraken",
        "enabled": True,
        "description": "",
    }
]


class SharedDatabase:
    """Its bots trade at Kraken all the time: a master that buys and sells, and one user."""

    def __init__(self, directory: Path, exchange: ExchangeProcess, url: str) -> None:
        self.exchange = exchange
        self.url = url
        self._directory = directory
        self._config = directory / "config"
        (self._config / "users").mkdir(parents=True)
        settings = CONFIGURATION.format(entries=1, symbols=SYMBOLS)
        (self._config / "nija.yaml").write_text(settings, encoding="utf-8")
        (self._config / "users" / "retail_kraken.json").write_text(json.dumps(USERS), encoding="utf-8")

    def start(self, name: str, *, lease_seconds: float, **more: str) -> BotProcess:
        state = self._directory / name
        state.mkdir(exist_ok=True)
        there = environment(
            state,
            self.exchange,
            NIJA_CONFIG_DIR=str(self._config),
            DATABASE_URL=self.url,
            NIJA__INSTANCE__LEASE_SECONDS=str(lease_seconds),
            **more,
        )
        return BotProcess(there, log=self._directory / f"{name}.txt")

    def orders(self, since: int = 0) -> list[str]:
        """Client order ids that the exchange has accepted, oldest first."""
        return [line["client_order_id"] for line in self.exchange.journal(since, type="accept")]

    def trades_after(self, since: int, *, seconds: float = 60.0) -> None:
        wait_until(lambda: self.orders(since), seconds=seconds, what="an order is accepted")

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(statement).fetchall()

    def senders(self, orders: list[str]) -> set[int]:
        """Under which epochs of their accounts these orders were sent."""
        epochs = dict(self.ask("SELECT client_order_id, epoch FROM order_intent"))
        return {epochs[order] for order in orders}

    def highest_epoch(self) -> int:
        ((epoch,),) = self.ask("SELECT coalesce(max(epoch), 0) FROM lease")
        return int(epoch)


def page(bot: BotProcess, name: str) -> tuple[int, str]:
    """Status and text of a page of a running bot."""
    bot.says("Metrics at http://")
    address = re.search(r"Metrics at (http://[\d.]+:\d+)/", bot.log())
    assert address is not None
    with requests.Session() as session:
        session.trust_env = False
        reply = session.get(f"{address.group(1)}/{name}", timeout=10)
    return reply.status_code, reply.text
