"""`check_broker_status.py`: each account's six facts with their age, its health and its money."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bot.diagnostics.accounts import Account
from bot.diagnostics.command import account_command
from bot.diagnostics.store_reading import BotState, describe_age

_COLOURS = {"healthy": "green", "starting": "cyan", "degraded": "yellow", "stopped": "dim"}


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_broker_status.py",
        description="Is every account connected, funded and trading? Shows the six facts of each with their age.",
        show=show,
        argv=argv,
    )


def show(state: BotState, accounts: Sequence[Account]) -> None:
    """The table; what is wrong stands first, below the overall word."""
    console = Console()
    console.print(state.sentence)
    for account in accounts:
        if account.why_not_trading:
            console.print(f"  {account.label}: NOT TRADING: {account.why_not_trading}")
    table = Table(title=f"Accounts ({state.mode or 'never run'})")
    for heading in ("account", "health", "configured", "authenticated", "permitted", "funded", "armed", "last trade"):
        table.add_column(heading)
    for heading in ("cycles", "cash", "positions"):
        table.add_column(heading, overflow="fold")
    for account in accounts:
        table.add_row(*_cells(account))
    console.print(table)


def _cells(account: Account) -> list[str]:
    facts = [
        f"yes, {describe_age(account.seen_at - moment)}" if moment is not None else "no"
        for moment in account.facts().values()
    ]
    facts[-1] = facts[-1].replace("yes, ", "").replace("no", "none")
    colour = _COLOURS.get(account.row.health, "red")
    since = describe_age(account.seen_at - account.row.health_since)
    health = f"[{colour}]{account.row.health}[/], {since}"
    return [account.label, health, *facts, str(account.row.cycles), account.balance_text(), str(account.positions)]
