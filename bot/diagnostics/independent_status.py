"""`check_independent_broker_status.py`: masters and users apart, each with its own thread, cycles and errors."""

from collections.abc import Sequence

from bot.diagnostics.accounts import Account, by_kind
from bot.diagnostics.command import account_command
from bot.diagnostics.overview import Overview


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_independent_broker_status.py",
        description="Does every account run by itself? Shows thread, cycle and errors of each.",
        show=show,
        argv=argv,
    )


def show(overview: Overview) -> None:
    print(overview.sentence)
    for kind, chosen in by_kind(overview.accounts).items():
        print(f"\n{kind}")
        for account in chosen:
            print("; ".join([f"  INDEPENDENT {_line(account)}", *account.notes]))


def _line(account: Account) -> str:
    row = account.row
    if row.armed_at is None:
        return f"{account.label}: no thread yet: {account.why_not_trading}"
    last = "never" if row.last_cycle_at is None else f"{account.age_of(row.last_cycle_at)} ago"
    reason = f" ({row.health_reason})" if row.health_reason else ""
    now = row.step or "starting" if account.reader.bot_runs else "stopped"
    return (
        f"Trader-{account.label}: {row.health}{reason}, {row.cycles} cycles, last {last}, "
        f"{row.error_count} errors in a row, now {now}"
    )
