"""`check_broker_status.py`: each account's six facts with their age, its health and its money."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from bot.diagnostics.accounts import FACTS, Account
from bot.diagnostics.command import account_command
from bot.diagnostics.overview import Overview
from bot.diagnostics.terminal import table, terminal

_COLOURS = {"healthy": "green", "starting": "cyan", "degraded": "yellow", "stopped": "dim"}


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_broker_status.py",
        description="Is every account connected, funded and trading? Shows the six facts of each with their age.",
        show=show,
        argv=argv,
    )


def show(overview: Overview) -> None:
    """What is wrong stands first, below the overall word."""
    console = terminal()
    console.print(overview.sentence, soft_wrap=True)
    for line in overview.attention:
        console.print(f"  {line}", soft_wrap=True, style="bold yellow")
    for account in overview.accounts:
        if account.why_not_trading:
            console.print(f"  {account.label}: NOT TRADING: {account.why_not_trading}", soft_wrap=True)
        for note in account.notes:
            console.print(f"  {account.label}: {note}", soft_wrap=True)
    _show_money(console, overview)
    _show_facts(console, overview)


def _show_money(console: Console, overview: Overview) -> None:
    headings = ("account", "health", "cash", "worth", "positions", "cycles")
    money = table(console, f"Accounts ({overview.state.mode or 'never run'})", *headings)
    for account in overview.accounts:
        money.add_row(
            account.label,
            _health(account),
            account.balance_text(),
            account.worth_text(),
            str(account.positions),
            str(account.row.cycles),
        )
    console.print(money)


def _show_facts(console: Console, overview: Overview) -> None:
    facts = table(console, "Since when, and what proved it (six facts)", "account", *FACTS, "last order or fill")
    for account in overview.accounts:
        facts.add_row(account.label, *_facts(account))
    console.print(facts)


def _health(account: Account) -> Text:
    row = account.row
    phase = f" ({row.phase})" if row.phase not in ("", "ready", row.health) else ""
    text = f"{row.health}{phase}, {account.age_of(row.health_since)}"
    return Text(text, style=_COLOURS.get(row.health, "red"))


def _facts(account: Account) -> list[Text]:
    """Each fact's age, and below it what proved it."""
    moments, proofs = account.facts(), account.proofs()
    latest = moments.pop("last order or fill")
    ages = {name: "no" if moment is None else account.age_of(moment) for name, moment in moments.items()}
    ages["last order or fill"] = "none yet" if latest is None else f"{account.age_of(latest)} ago"
    return [Text.assemble(age, (f"\n{proofs[name]}" if proofs.get(name) else "", "dim")) for name, age in ages.items()]
