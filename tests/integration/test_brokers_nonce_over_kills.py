"""The venue never sees a nonce repeat or fall, though the bot is killed in the middle and its clock is set back."""

import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.exchange_process import ROOT, ExchangeProcess, PaperAccount

# (clock offset in seconds, answers after which the program is killed; None = it ends by itself)
LIVES: Sequence[tuple[int, int | None]] = ((0, 200), (-3600, 200), (0, 150), (-7200, 150), (-3600, None))
CALLS_EACH = 500


def run_until(command: Sequence[str], answers: int | None) -> int:
    """Run, kill -9 after that many answers, and return how many there were."""
    count = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        for _ in program.stdout:
            count += 1
            if count == answers:
                program.kill()
                break
        program.stdout.read()
        code = program.wait(30)
    assert code == (0 if answers is None else -9)
    return count


def test_a_thousand_private_calls_over_four_kills_and_clock_steps_reach_the_venue_with_rising_nonces(
    tmp_path: Path,
) -> None:
    with ExchangeProcess(seed=3) as exchange:
        accounts = [exchange.open_account("kraken", name) for name in ("master", "daivon_frazier")]
        answered = 0
        for offset, answers in LIVES:
            calls = str(CALLS_EACH if answers is not None else 160)
            answered += run_until(_command(exchange, tmp_path, offset, calls, accounts), answers)
        assert answered >= 1000
        for account in accounts:
            lines = exchange.journal(type="request", account=account.name)
            nonces = [int(line["nonce"]) for line in lines]
            assert len(nonces) > 300
            assert all(earlier < later for earlier, later in itertools.pairwise(nonces))
        refused = [line["error"] for line in exchange.journal(type="refuse")]
        assert refused == []


def _command(
    exchange: ExchangeProcess, state_dir: Path, offset: int, calls: str, accounts: Sequence[PaperAccount]
) -> list[str]:
    words = [word for account in accounts for word in (account.name, account.api_key, account.api_secret)]
    program = [sys.executable, "-m", "tests.integration.private_calls_program"]
    return [*program, str(state_dir), exchange.rest_url("kraken"), str(offset), calls, *words]
