"""kill -9 in the middle of private calls, and a clock an hour back at restart: no nonce is ever repeated or lower."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

CALLS_BETWEEN_KILLS = 80
CLOCKS = ("0", "-3600", "-7200", "3600")


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=5) as process:
        yield process


def private_calls(exchange: ExchangeProcess) -> list[dict[str, Any]]:
    return [line for line in exchange.journal() if line["type"] == "request" and line["nonce"] is not None]


def test_nonces_only_ever_rise_across_kills_and_clock_steps(exchange: ExchangeProcess, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for clock in CLOCKS:
        environ = environment(
            state, exchange, NIJA_TEST_CLOCK_OFFSET_SECONDS=clock, NIJA__PACE__PAPER__CYCLE_SECONDS="0.2",
            NIJA__BALANCE__CACHE_SECONDS="0.1",
        )  # fmt: skip
        before = len(private_calls(exchange))
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            wait_until(
                lambda before=before: len(private_calls(exchange)) >= before + CALLS_BETWEEN_KILLS,
                seconds=60,
                what=f"{CALLS_BETWEEN_KILLS} private calls with the clock {clock} s off",
            )
            bot.kill()
    nonces: dict[str, list[int]] = defaultdict(list)
    for line in private_calls(exchange):
        nonces[line["account"]].append(int(line["nonce"]))
        assert not (line["error"] or "").startswith("EAPI:Invalid nonce")
    assert set(nonces) == {"master", "daivon_frazier", "tania_gilbert"}
    for account, given in nonces.items():
        assert all(later > earlier for earlier, later in itertools.pairwise(given)), account
