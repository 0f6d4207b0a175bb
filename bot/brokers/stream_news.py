"""What an account's private stream has brought since it was last asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.fill import Fill


@dataclass(frozen=True)
class StreamNews:
    """`fills`: new trades, oldest first, each once. `missed`: there may be others, so the history must be read.

    `up`: whether the stream is live now.
    """

    fills: Sequence[Fill] = ()
    missed: bool = False
    up: bool = False


NO_NEWS = StreamNews()
