"""The whole bot where orders are HTTP requests: users' entries leave in one batch, and by their own threads if need be.

The cycles are far apart: what happens in these tests happens because of the trade.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.brokers.rest_lane import RestLane
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import Side
from tests.contract_brokers.matrix.rigs import RIGS
from tests.contract_brokers.orders import an_order
from tests.exchange_process import wait_until
from tests.integration.test_ccxt_streamed_bot import PATIENCE_SECONDS, StreamedBot

# Without a stream for users, and with one.
CASH = {BrokerType.COINBASE: "USD", BrokerType.OKX: "USDT"}
# A user enters a market once in a while: each of the master's trades is in another one.
COINS = ("BTC", "ETH")


class BatchBot(StreamedBot):
    """A master and ann at any of them."""

    def __init__(self, directory: Path, broker: BrokerType) -> None:
        super().__init__(directory, broker)
        self.cash = CASH[broker]
        self.ann = AccountRef.user(broker, "ann")

    def lane(self) -> RestLane:
        broker = self.parts.manager.broker_of(self.ann)
        lane = None if broker is None else broker.lane()
        assert isinstance(lane, RestLane)
        return lane

    @property
    def symbol(self) -> str:
        """What is bought next."""
        return f"{COINS[self.traded]}/{self.cash}"

    def buys(self) -> None:
        symbol = self.symbol
        self.traded += 1
        self.hand.place_order(an_order(Side.BUY, "0.1", symbol=symbol))

    def rows(self, query: str) -> list[Mapping[str, Any]]:
        with self.store.read() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    def marks(self) -> list[str]:
        """How each of ann's orders came to be marked as being sent."""
        query = "SELECT detail FROM order_event JOIN order_intent USING (client_order_id) WHERE new = 'submitted'"
        return [str(row["detail"]) for row in self.rows(f"{query} AND account_id = '{self.ann.label}'")]


@pytest.fixture(params=CASH, ids=str)
def bot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BatchBot]:
    made = BatchBot(tmp_path, request.param)
    try:
        made.start()
        wait_until(
            lambda: all(status.health.cycles == 1 for status in made.parts.statuses.values()),
            seconds=PATIENCE_SECONDS,
            what="a first cycle of both",
        )
        wait_until(lambda: made.lane().ready(made.symbol), seconds=PATIENCE_SECONDS, what="her orders can board")
        yield made
    finally:
        made.close()


def test_an_entry_boards_once_whatever_becomes_of_its_answer_and_goes_by_its_own_thread_if_it_cannot(
    bot: BatchBot,
) -> None:
    place = RIGS[bot.master.broker].endpoints.place
    bot.exchange.fault("drop_response", account="ann", endpoint=place)
    bot.buys()
    bot.copied()
    states = [row["new"] for row in bot.rows("SELECT new FROM order_event ORDER BY id")]
    assert "acknowledged" not in states, "it was found at the venue, or the stream told of its trade"
    bot.lane().close()
    bot.buys()
    bot.copied()
    assert [detail.endswith("in a batch") for detail in bot.marks()] == [True, False]
