"""`check_active_trading_per_broker.py`: per account TRADING or NOT TRADING, with the proof or the reason."""

from collections.abc import Sequence

from bot.diagnostics.accounts import Account
from bot.diagnostics.command import account_command
from bot.diagnostics.overview import Overview


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_active_trading_per_broker.py",
        description="Is it trading, for each master and every user? TRADING needs proof: armed, healthy, cycling.",
        show=show,
        argv=argv,
    )


def show(overview: Overview) -> None:
    print(overview.sentence)
    for account in overview.accounts:
        print(_line(account))


def _line(account: Account) -> str:
    row = account.row
    who = "MASTER ACCOUNT" if account.is_master else f"USER: {row.name}"
    broker = f"(Broker: {row.broker.upper()})"
    if account.why_not_trading:
        return f"{who}: NOT TRADING {broker}: {account.why_not_trading}"
    proof = ", ".join(
        f"last {name} {'none yet' if moment is None else account.age_of(moment) + ' ago'}"
        for name, moment in (("order", row.last_order_at), ("fill", row.last_fill_at), ("cycle", row.last_cycle_at))
    )
    return "; ".join([f"{who}: TRADING {broker}: {proof}", *account.notes])
