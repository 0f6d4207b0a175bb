"""What the product is measured against, in the same run: the naive design, and bare sends over WebSocket."""

import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.fanout_drill.figures import Round
from benchmarks.fanout_drill.venue import Venue, moment
from tests.paper_exchange.kraken_client import KrakenClient

NAIVE_SPACING_SECONDS = 0.2
DOLLARS = 10_000
ORDER_DOLLARS = 500
AT_ONCE = 50


class NaiveKey:
    """One account as the naive design has it: each nonce is written to a file that is rewritten for it."""

    def __init__(self, client: KrakenClient, nonce_file: Path) -> None:
        self.client = client
        self._file = nonce_file

    def call(self, method: str, **fields: str) -> None:
        last = int(self._file.read_text()) if self._file.exists() else 0
        nonce = max(last + 1, time.time_ns())
        with self._file.open("w") as file:
            file.write(str(nonce))
            file.flush()
            os.fsync(file.fileno())
        envelope = self.client.post(method, {"nonce": nonce, **fields}).json()
        if envelope["error"]:
            raise RuntimeError(f"{method}: {envelope['error']}")


def naive_round(venue: Venue, clients: Sequence[KrakenClient], symbol: str, *, rtt_milliseconds: float) -> Round:
    """One global lock, 200 ms between any two private calls, and a balance read before every order."""
    lock, last_call = threading.Lock(), [0.0]
    quantity = venue.quantity(symbol, ORDER_DOLLARS)

    def spaced(key: NaiveKey, method: str, **fields: str) -> None:
        with lock:
            time.sleep(max(0.0, last_call[0] + NAIVE_SPACING_SECONDS - time.monotonic()))
            key.call(method, **fields)
            last_call[0] = time.monotonic()

    def trade(key: NaiveKey) -> None:
        spaced(key, "Balance")
        spaced(key, "AddOrder", pair=symbol, type="buy", ordertype="market", volume=quantity)

    with tempfile.TemporaryDirectory() as directory, venue.away(rtt_milliseconds):
        since = venue.exchange.last_seq()
        keys = [NaiveKey(client, Path(directory) / f"nonce_{number}") for number, client in enumerate(clients)]
        threads = [threading.Thread(target=trade, args=(key,)) for key in keys]
        began = time.time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = time.time()
    return _round(venue, symbol, since, users=len(clients), began=began, ended=ended)


class BareSockets:
    """Connections that are open, authenticated and idle: all that is left to do is to send."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._lanes: list[tuple[ClientConnection, str]] = []

    async def open(self, clients: Sequence[KrakenClient]) -> None:
        """One socket and one token for each account."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(client: KrakenClient) -> tuple[ClientConnection, str]:
            async with gate:
                token = (await asyncio.to_thread(client.ok, "GetWebSocketsToken"))["token"]
                socket = await connect(
                    self._venue.private_socket_url, compression=None, open_timeout=60, ping_interval=None
                )
                await socket.recv()  # the exchange's status
                return socket, token

        self._lanes = list(await asyncio.gather(*(one(client) for client in clients)))

    async def round(self, symbol: str, *, rtt_milliseconds: float) -> Round:
        """Send one finished order on every socket and wait for its answer."""
        quantity = self._venue.quantity(symbol, ORDER_DOLLARS)
        texts = [_order(symbol, quantity, token) for _, token in self._lanes]
        with self._venue.away(rtt_milliseconds):
            since = self._venue.exchange.last_seq()
            began = time.time()
            waiting = [asyncio.create_task(_answered(socket)) for socket, _ in self._lanes]
            for (socket, _), text in zip(self._lanes, texts, strict=True):
                await socket.send(text)
            await asyncio.gather(*waiting)
            ended = time.time()
        return _round(self._venue, symbol, since, users=len(self._lanes), began=began, ended=ended)

    async def close(self) -> None:
        await asyncio.gather(*(socket.close() for socket, _ in self._lanes))


def _order(symbol: str, quantity: str, token: str) -> str:
    fields = {"order_type": "market", "side": "buy", "symbol": symbol, "token": token}
    # The quantity is a JSON number, written as it is: through a float it could change.
    return f'{{"method":"add_order","req_id":1,"params":{{"order_qty":{quantity},{json.dumps(fields)[1:-1]}}}}}'


async def _answered(socket: ClientConnection) -> None:
    while True:
        message = json.loads(await socket.recv())
        if message.get("method") == "add_order":
            if not message["success"]:
                raise RuntimeError(f"add_order: {message['error']}")
            return


def _round(venue: Venue, symbol: str, since: int, *, users: int, began: float, ended: float) -> Round:
    lines = venue.accepts(symbol, since)
    return Round(
        users=users,
        orders=len(lines),
        doubles=len(lines) - len({line["account"] for line in lines}),
        last_accept=(max(moment(line["time"]) for line in lines) - began) * 1000,
        last_ack=(ended - began) * 1000,
    )
