"""Tables for people: coloured in a terminal, plain text in a file or a pipe.

The bot's start imports all commands to read its command line. It prints no table, so rich is imported by what does.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# When the output goes into a file or a pipe, nobody's window limits it.
WIDTH_WITHOUT_TERMINAL = 160


def terminal(*, width_without_terminal: int | None = None) -> "Console":
    """Where to print. Texts are shown as they are: a venue's words may look like markup."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        width = width_without_terminal or max(console.width, WIDTH_WITHOUT_TERMINAL)
        console = Console(markup=False, highlight=False, width=width)
    return console


def table(console: "Console", title: str, *headings: str) -> "Table":
    """An empty table whose cells wrap instead of being cut off."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", box=box.ROUNDED if console.is_terminal else None)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made
