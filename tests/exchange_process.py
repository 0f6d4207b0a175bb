"""The real paper exchange as a child process, for tests of anything that trades on it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import requests

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0
CALL_SECONDS = 10.0
Amount = Decimal | str | int


@dataclass(frozen=True)
class PaperAccount:
    """What opening an account gives back; a passphrase only where the brokerage has one."""

    brokerage: str
    name: str
    api_key: str
    api_secret: str
    api_passphrase: str = ""


class ExchangeDidNotStart(AssertionError):
    """The process ended or said nothing; the message holds what it wrote to stderr."""


class ExchangeProcess:
    """Starts ``python -m paper_exchange`` on free ports and talks to its control API.

    Use it as a context manager, or call ``stop``. ``options`` are further words for its command line.
    """

    def __init__(self, *, state: Path | None = None, seed: int | None = None, options: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", "paper_exchange", "--exit-with-stdin", *options]
        if state is not None:
            self._command += ["--state", str(state)]
        if seed is not None:
            self._command += ["--seed", str(seed)]
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._session = requests.Session()
        self._session.trust_env = False
        self.start()

    def start(self) -> None:
        """Start (again, with the same options) and wait for the first line."""
        # stdin is a pipe whose other end is ours: should this process die, the exchange ends too.
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
        self.addresses: dict[str, dict[str, Any]] = json.loads(self._first_line())
        self.control_url: str = self.addresses["control"]["url"]
        self.token: str = self.addresses["control"]["token"]
        self._session.headers["X-Paper-Token"] = self.token

    @property
    def pid(self) -> int:
        return self.process.pid

    def rest_url(self, brokerage: str) -> str:
        url: str = self.addresses[brokerage]["rest"]
        return url

    def open_account(
        self, brokerage: str, name: str, balances: Mapping[str, Amount] | None = None, **more: Any
    ) -> PaperAccount:
        """``more`` may hold permissions, tier, strict, nonce_window."""
        amounts = {asset: str(amount) for asset, amount in (balances or {"USD": "10000"}).items()}
        body = {"brokerage": brokerage, "name": name, "balances": amounts, **more}
        opened = self.control("POST", "/accounts", body)
        return PaperAccount(
            brokerage, name, opened["api_key"], opened["api_secret"], opened.get("api_passphrase") or ""
        )

    def accounts(self) -> list[dict[str, Any]]:
        accounts: list[dict[str, Any]] = self.control("GET", "/accounts")
        return accounts

    def account(self, brokerage: str, name: str) -> dict[str, Any]:
        """Balances, holds and open orders of one account, as ``GET /accounts`` shows them."""
        return next(one for one in self.accounts() if (one["brokerage"], one["name"]) == (brokerage, name))

    def fault(self, action: str | Mapping[str, Any], *, times: int | None = 1, **match: Any) -> int:
        """Order a fault and return its id; ``match`` may hold brokerage, account, endpoint, nth."""
        added = self.control("POST", "/faults", {"match": match, "action": action, "times": times})
        fault_id: int = added["id"]
        return fault_id

    def faults(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self.control("GET", "/faults")
        return faults

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def set_price(self, symbol: str, price: Amount) -> dict[str, Any]:
        return self.market(symbol=symbol, price=str(price))

    def market(self, **body: Any) -> dict[str, Any]:
        """``POST /market``: symbol, and any of price, halt, rules. Returns the quote after it."""
        quote: dict[str, Any] = self.control("POST", "/market", body)
        return quote

    def move(self, brokerage: str, name: str, kind: str, asset: str, amount: Amount, **more: Any) -> list[str]:
        """``POST …/movements``: what changes balances without an order; ``more`` may hold fee, into, reference."""
        body = {"kind": kind, "asset": asset, "amount": str(amount), **more}
        ids: list[str] = self.control("POST", f"/accounts/{brokerage}/{name}/movements", body)["ledger_ids"]
        return ids

    def advance_clock(self, seconds: float) -> None:
        """Let the exchange be later by so much."""
        self.control("POST", "/clock", {"advance_seconds": seconds})

    def pause(self, *, paused: bool = True) -> None:
        self.control("POST", "/market/pause", {"paused": paused})

    def journal(self, since: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        """Lines numbered above ``since`` whose fields equal ``wanted``, as in ``journal(type="accept")``."""
        response = self._call("GET", f"/journal?since={since}")
        response.raise_for_status()
        lines = [json.loads(line) for line in response.content.splitlines()]
        return [line for line in lines if all(line[name] == value for name, value in wanted.items())]

    def last_seq(self) -> int:
        seq: int = self.control("GET", "/health")["journal_seq"]
        return seq

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control call; returns its JSON and raises for anything but success, with the exchange's sentence."""
        response = self._call(method, path, body)
        if not response.ok:
            raise AssertionError(f"{method} {path} gave {response.status_code}: {response.text}")
        return response.json()

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(CALL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(CALL_SECONDS)
        self._close_pipes()
        return code

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(CALL_SECONDS)
        self._close_pipes()

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._session.close()
        self._stderr.close()

    def _call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self._session.request(method, self.control_url + path, json=body, timeout=CALL_SECONDS)

    def _first_line(self) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise ExchangeDidNotStart(f"{' '.join(self._command)} did not start: {self.stderr()}")
        return line

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()


def wait_until(condition: Callable[[], Any], *, seconds: float = 5.0, what: str = "the condition") -> Any:
    """Return the first true value of ``condition``; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        pause.wait(0.02)
