"""Every trade of a backtest as a row."""

from bot.backtest.result import BacktestResult
from bot.diagnostics.csv_file import cell, open_sheet

COLUMNS = (
    "account", "symbol", "opened_at", "closed_at", "quantity", "entry_price", "exit_price", "fees", "profit",
    "exit_rule", "entry_reason", "exit_reason",
)  # fmt: skip


def write_trades(target: str, result: BacktestResult) -> None:
    """Round trips of all accounts, the master's first; `-` is printed. Raises `OSError`."""
    with open_sheet(target) as sheet:
        sheet.writerow(COLUMNS)
        for account in result.accounts:
            for trip in account.round_trips:
                sheet.writerow([cell(getattr(trip, name)) for name in COLUMNS])
