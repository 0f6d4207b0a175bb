"""What was said last of each matter, so that the log has transitions and no repetition."""

import re

_FIGURES = re.compile(r"\d[\d.,:]*")


def without_figures(text: str) -> str:
    """To compare two sentences by: moments and amounts change while what is the matter stays the same."""
    return _FIGURES.sub("#", text)


class LastSaid:
    """By account and matter. Each account's thread asks about its own only."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], str] = {}

    def is_news(self, account_id: str, matter: str, text: str) -> bool:
        """Whether this is another text than the last one about the same; empty = nothing is to be said of it."""
        key = (account_id, matter)
        is_news = self._said.get(key, "") != text
        self._said[key] = text
        return is_news


class SaidOf:
    """What was said of each order while it went on, figures apart: two troubles that take turns are said once each."""

    def __init__(self) -> None:
        self._said: dict[str, set[str]] = {}

    def is_news(self, order_id: str, text: str) -> bool:
        said, bare = self._said.setdefault(order_id, set()), without_figures(text)
        is_news = bare not in said
        said.add(bare)
        return is_news

    def forget(self, order_id: str) -> None:
        """It has ended."""
        self._said.pop(order_id, None)
