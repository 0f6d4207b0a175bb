"""The running bot trades each master by its own strategy, on its own candles."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bot import exit_codes
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

OWN = '''
from decimal import Decimal
from bot.strategies.interface import EntryIntent, NoEntry

class Own:
    """Says in its reason what it was shown."""

    name = "own"
    parameters = ()

    def __init__(self, values):
        self.candles_needed = 20

    def entry(self, view):
        apart = int((view.candles[-1].opened_at - view.candles[-2].opened_at).total_seconds())
        if view.account is None or apart < 300:
            return NoEntry("not shown what it needs")
        shown = f"{view.interval_minutes} minutes, RSI {view.indicators.rsi(9, over=20)[-1]:.0f}"
        reason = f"{shown}, {view.account.cash_quote:.0f} cash, up to {view.account.max_positions} positions"
        return EntryIntent(view.symbol, Decimal("0.5"), reason, stop_loss_percent=Decimal(7))

    def exit(self, view, position):
        return None
'''
CONFIGURATION = """\
masters:
  - broker: kraken
    strategy: {{plugin: buy_and_hold, parameters: {{stop_loss: 60}}}}
  - broker: coinbase
    strategy: {{plugin: "{file}", candle_interval_minutes: 5}}
risk: {{max_positions: 3, max_entries_per_cycle: 1}}
pace: {{paper: {{cycle_seconds: 0.5}}}}
"""


def configured(directory: Path) -> dict[str, str]:
    config, file = directory / "config", directory / "own.py"
    config.mkdir()
    file.write_text(OWN)
    (config / "nija.yaml").write_text(CONFIGURATION.format(file=file))
    return {"NIJA_CONFIG_DIR": str(config)}


def rows(directory: Path, query: str) -> Sequence[tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{directory / 'nija.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error:
        return ()


def test_each_master_is_traded_by_its_own_strategy_on_its_own_candles(tmp_path: Path) -> None:
    query = (
        "SELECT DISTINCT d.account_id, d.strategy, d.reason, i.stop_loss_percent FROM entry_decision d "
        "JOIN order_intent i ON i.client_order_id = d.client_order_id WHERE d.outcome = 'ordered'"
    )
    with (
        ExchangeProcess(seed=7) as exchange,
        BotProcess(environment(tmp_path, exchange, **configured(tmp_path)), log=tmp_path / "out.txt") as bot,
    ):
        wait_until(
            lambda: {account for account, *_ in rows(tmp_path, query)} == {"kraken", "coinbase"},
            seconds=90,
            what=f"both masters have entered; {bot.log()[-2000:]}",
        )
        assert bot.stop() == exit_codes.OK
    for account, strategy, reason, stop in rows(tmp_path, query):
        if account == "kraken":
            assert (strategy, reason, float(stop)) == ("buy_and_hold", "not held yet", 60)
        else:
            assert strategy == "own" and float(stop) == 7
            assert reason.startswith("5 minutes, RSI ") and reason.endswith("cash, up to 3 positions")
