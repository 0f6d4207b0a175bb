"""A user's month as a page that can be sent to that user: nobody else's figures are on it."""

from collections.abc import Sequence

from bot.diagnostics.books_command import Ledger
from bot.diagnostics.period_words import problems_of
from bot.diagnostics.report.account_part import fidelity_part
from bot.diagnostics.report.page import heading, mode_mark, page, paragraph, table
from bot.diagnostics.statement import AccountStatement, Wanted, lines_of, warnings_of
from bot.seams.clock import format_time


def statement_page(ledger: Ledger, wanted: Wanted, parts: Sequence[AccountStatement]) -> str:
    """The document."""
    name = parts[0].account.name
    title = f"Statement of {name}, {wanted.month_words}"
    made = f"Days end by the clocks of {ledger.zone}. Made at {format_time(ledger.now)[:16].replace('T', ' ')} UTC."
    shown = [
        heading(1, title),
        mode_mark(ledger.mode),
        paragraph(f"{ledger.mode_meaning.capitalize()}."),
        paragraph(made, kind="quiet"),
    ]
    for part in parts:
        shown.append(_part(part))
    return page(title, shown)


def _part(part: AccountStatement) -> str:
    account = part.account
    shown = [heading(2, account.account_id)]
    if not part.over:
        shown.append(
            paragraph("This month is not over, or not all closed: all figures are those until now.", kind="warn")
        )
    shown += [paragraph(note, kind="warn") for note in [*problems_of(part.period), *warnings_of(part)]]
    shown.append(table(["", account.currency], [list(line) for line in lines_of(part)], names=(), words=(0,)))
    shown.append(fidelity_part(part.fidelity))
    return "\n".join(shown)
