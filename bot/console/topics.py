"""What the console's event stream has to tell."""

from collections.abc import Sequence

from bot.console.api_markets import moved
from bot.console.api_overview import OVERVIEW_SECONDS
from bot.console.context import Context
from bot.console.stream import Topic


def topics(context: Context) -> Sequence[Topic]:
    """All of them, for one process."""
    first_screen = context.first_screen
    return [
        Topic(
            "markets",
            0.25,
            produce=lambda: moved(context.news.take_changes()),
            on_join=lambda: moved(context.news.markets()),
            repeat=True,
        ),
        Topic("overview", OVERVIEW_SECONDS, produce=first_screen.read),
    ]
