"""The paper exchange as the drill's child: it keeps running while the bot dies again and again."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.kill_drill.by_hand import Keys
from benchmarks.kill_drill.exchange_side import Line, label_of

PROJECT = Path(__file__).resolve().parents[2]
CALL_SECONDS = 30.0


class DrillExchange:
    """A context manager; it ends with this process however that ends."""

    def __init__(self, *, seed: int, database: Path) -> None:
        self._lines: list[Line] = []
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "paper_exchange", "--exit-with-stdin", "--seed", str(seed),
                "--write-ahead-database", str(database), "--alpaca-session", "always-open",
            ],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        addresses = json.loads(self._process.stdout.readline())
        self.url: str = addresses["control"]["url"]
        self.token: str = addresses["control"]["token"]
        self._addresses = addresses

    def open_account(self, brokerage: str, name: str, balances: Mapping[str, Decimal]) -> Keys:
        amounts = {asset: format(amount, "f") for asset, amount in balances.items()}
        opened = self.control("POST", "/accounts", {"brokerage": brokerage, "name": name, "balances": amounts})
        return Keys(self._addresses[brokerage]["rest"], opened["api_key"], opened["api_secret"])

    def balances(self) -> dict[tuple[str, str], Decimal]:
        """What every account has of every asset, by account and asset."""
        return {
            (label_of(account["brokerage"], account["name"]), asset): Decimal(amount)
            for account in self.control("GET", "/accounts")
            for asset, amount in account["balances"].items()
        }

    def fault(self, match: Mapping[str, object], action: Mapping[str, object]) -> None:
        self.control("POST", "/faults", {"match": match, "action": action, "times": 1})

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def journal(self) -> list[Line]:
        """All lines so far. Call it now and then: the exchange itself keeps only so many."""
        since = self._lines[-1]["seq"] if self._lines else 0
        self._lines += [json.loads(line) for line in self._call("GET", f"/journal?since={since}").splitlines()]
        return self._lines

    def control(self, method: str, path: str, body: object = None) -> Any:
        return json.loads(self._call(method, path, body))

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        headers = {"X-Paper-Token": self.token, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=content, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as reply:
            answer: bytes = reply.read()
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(CALL_SECONDS)
