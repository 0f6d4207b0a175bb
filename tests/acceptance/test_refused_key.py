"""A key that is revoked while the bot runs: left alone, shown at once, and nobody else's business."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

USER, LABEL = "tania_gilbert", "tania_gilbert_kraken"
OTHERS = ("kraken", "daivon_frazier_kraken", "tania_gilbert_coinbase")


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=11) as process:
        yield process


def test_a_key_revoked_mid_session_is_left_alone_and_shown_while_the_others_go_on(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    environ = environment(
        tmp_path, exchange, NIJA__PACE__PAPER__CYCLE_SECONDS="0.5", NIJA__BALANCE__CACHE_SECONDS="0.2"
    )

    def cycles(label: str) -> int:
        return bot.log().count(f"{label} - Cycle #") + bot.log().count(f"{label} (USER) - Cycle #")

    def after_cycles(number: int, *labels: str) -> None:
        goals = {label: cycles(label) + number for label in labels}
        wait_until(
            lambda: all(cycles(label) >= goal for label, goal in goals.items()),
            seconds=120,
            what=f"{number} more cycles of {', '.join(labels)}",
        )

    def asked(since: int) -> list[str]:
        lines = exchange.journal(since, type="request", brokerage="kraken", account=USER)
        return [line["endpoint"] for line in lines]

    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says(f"{LABEL}: buy ", seconds=120)
        exchange.fault({"kind": "api_error", "text": "EAPI:Invalid key"}, times=None, account=USER, brokerage="kraken")
        revoked_at = exchange.last_seq()
        bot.says(f"{LABEL} health: failed (Kraken refuses the API key since", seconds=120)
        quiet_from = exchange.last_seq()
        after_cycles(5, LABEL, *OTHERS)
        assert asked(quiet_from) == []
        assert len(asked(revoked_at)) <= 3, "two refusals, and what was on its way"
        accounts = bot.accounts()
        shown = accounts[LABEL]
        assert (shown["health"], shown["trading"]) == ("failed", False)
        assert "EAPI:Invalid key" in shown["health_reason"]
        assert all(accounts[label]["health"] == "healthy" for label in OTHERS)
        critical = [line for line in bot.log().splitlines() if "CRITICAL" in line and LABEL in line]
        assert len([line for line in critical if "ALERT" not in line]) == 1
        assert len([line for line in critical if "ALERT account_lost" in line]) <= 1
        assert bot.stop() == 0
