"""A venue on loopback that lists one market properly and puts nonsense where a balance should be."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from bot.domain.account import BrokerType

KRAKEN_ASSETS = {"ZUSD": {"altname": "USD"}, "XXBT": {"altname": "XBT"}}
KRAKEN_PAIRS = {
    "XXBTZUSD": {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "base": "XXBT",
        "quote": "ZUSD",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "ordermin": "0.0001",
    }
}


class NonsenseVenue:
    """Answers every balance reading with `nonsense`, as text and, if it is one, as a bare JSON value."""

    def __init__(self, broker: BrokerType, nonsense: str) -> None:
        kraken = broker is BrokerType.KRAKEN

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._drain()
                if "Assets" in self.path:
                    self._answer(json.dumps({"error": [], "result": KRAKEN_ASSETS}))
                elif "AssetPairs" in self.path:
                    self._answer(json.dumps({"error": [], "result": KRAKEN_PAIRS}))
                else:
                    balance = {"value": nonsense, "currency": "USD"}
                    self._answer(
                        json.dumps({"accounts": [{"currency": "USD", "available_balance": balance}], "has_next": False})
                    )

            def do_POST(self) -> None:
                self._drain()
                self._answer(json.dumps({"error": [], "result": {"ZUSD": {"balance": nonsense, "hold_trade": "0"}}}))

            def _drain(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def _answer(self, text: str) -> None:
                body = text.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.kraken = kraken
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
