"""A whole bot that has lost what all its threads need: it ends with code 70 and says why."""

from pathlib import Path

import pytest

from bot import exit_codes
from bot.seams import failpoints
from bot.supervision import probes
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess
from tests.integration.composed_bot import CONFIGURATION, MASTER, ComposedBot

SWIFT = {
    "NIJA__SUPERVISION__STEP_SECONDS": "3",
    "NIJA__SUPERVISION__SUSPECT_AFTER_SECONDS": "1",
    "NIJA__SUPERVISION__QUARANTINE_AFTER_SECONDS": "1",
    "NIJA__SUPERVISION__WATCHDOG_SILENCE_SECONDS": "4",
}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("watchdog_look", "the watchdog has not looked at anything for"),
        ("main_turn", "the thread Housekeeper hangs, and nothing works without it"),
    ],
)
def test_a_process_whose_watchdog_or_whose_keeper_is_lost_ends_and_the_log_says_where_everybody_was(
    tmp_path: Path, place: str, reason: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "nija.yaml").write_text("masters:\n  - {broker: kraken}\n", encoding="utf-8")
    with ExchangeProcess(seed=5) as exchange:
        environ = environment(tmp_path / "state", exchange, NIJA_CONFIG_DIR=str(tmp_path / "config"))
        (tmp_path / "state").mkdir()
        bot = BotProcess({**environ, **SWIFT, "NIJA_FAILPOINTS": f"{place}:hang=600"}, log=tmp_path / "out.txt")
        try:
            wait_until(lambda: bot.process.poll() is not None, seconds=90, what="the bot ends")
        finally:
            bot.kill()
    assert bot.process.returncode == exit_codes.WATCHDOG
    text = (tmp_path / "state" / "nija.log").read_text(encoding="utf-8")
    assert f"NIJA ends at once: {reason}" in text
    assert "in _hang" in text


def test_a_store_that_hangs_is_fatal_and_an_account_that_waits_for_it_is_not_blamed(tmp_path: Path) -> None:
    with ComposedBot(tmp_path, ["ann"], configuration=CONFIGURATION) as bot:
        wait_until(bot.all_trade, seconds=60, what="every account's first cycle")
        bot.hold.threads_at("store_commit", "Store")
        wait_until(lambda: bot.fatal, seconds=60, what="the end of the process is asked for")
        assert "the thread Store hangs" in bot.fatal[0]
        bot.hold.release()


@pytest.mark.parametrize("lock", ["registry of threads", "registry of brokers"])
def test_a_registry_whose_lock_is_never_given_back_is_fatal(
    tmp_path: Path, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "BROKEN_AFTER_SECONDS", 3.0)
    with ComposedBot(tmp_path, []) as bot:
        wait_until(lambda: bot.cycles(MASTER) > 0, seconds=60, what="the master's first cycle")
        keeper = bot.parts.trader if lock == "registry of threads" else bot.parts.manager
        with keeper._lock:
            wait_until(lambda: bot.fatal, seconds=60, what="the end of the process is asked for")
        assert lock in bot.fatal[0]


@pytest.fixture(autouse=True)
def no_failpoints() -> None:
    failpoints.install("")
