"""What the console's event stream has to tell."""

from collections.abc import Sequence

from bot.console.context import Context
from bot.console.stream import Topic


def topics(context: Context) -> Sequence[Topic]:
    """All of them, for one process."""
    return [
        Topic(
            "markets",
            0.25,
            produce=lambda: [[key[0], *row] for key, row in context.news.take_changes().items()] or None,
            on_join=lambda: [[key[0], *row] for key, row in context.news.markets().items()],
            repeat=True,
        ),
    ]
