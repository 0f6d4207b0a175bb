"""`check_active_trading_per_broker.py`: per account TRADING or NOT TRADING, with the proof or the reason."""

from collections.abc import Sequence

from bot.diagnostics.accounts import Account
from bot.diagnostics.command import account_command
from bot.diagnostics.store_reading import BotState, describe_age


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_active_trading_per_broker.py",
        description="Is it trading, for each master and every user? TRADING needs proof: armed, healthy, cycling.",
        show=show,
        argv=argv,
    )


def show(state: BotState, accounts: Sequence[Account]) -> None:
    print(state.sentence)
    for account in accounts:
        print(_line(account))


def _line(account: Account) -> str:
    who = "MASTER ACCOUNT" if account.is_master else f"USER: {account.row.name}"
    broker = f"(Broker: {account.row.broker.upper()})"
    if account.why_not_trading:
        return f"{who}: NOT TRADING {broker}: {account.why_not_trading}"
    order, fill = account.row.last_order_at, account.row.last_fill_at
    proof = ", ".join(
        f"last {name} {'none yet' if moment is None else describe_age(account.seen_at - moment) + ' ago'}"
        for name, moment in (("order", order), ("fill", fill))
    )
    return (
        f"{who}: TRADING {broker}: {proof}, last cycle {describe_age(account.seen_at - account.row.last_cycle_at)} ago"
    )
