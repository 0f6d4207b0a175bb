"""Texts of others in a line of the log: what would move the cursor or begin a line is shown and not done."""

import re

# Control characters, the line ends of Unicode, marks that turn the direction of writing, and halves of characters,
# which no file takes.
_ACTING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""On one line, whatever was in it: a line break is `\n`, the beginning of a colour `\x1b`."""
    return _ACTING.sub(_shown, text)


def visible_lines(text: str) -> str:
    """The same for a text that has lines of its own, such as a traceback."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _shown(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
