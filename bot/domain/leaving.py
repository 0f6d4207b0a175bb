"""What becomes of what a user has copied when it is switched off (mission C10)."""

from enum import StrEnum


class WhenDisabled(StrEnum):
    """Whichever it is: no entry is made any more, and an order that was already sent is followed to its end.

    - KEEP: the coins are the user's affair from now on. Nothing is sold for it, neither when the master sells nor at
      the positions' own stops and targets.
    - CLOSE_ONLY: the master's exits are mirrored, and stops and targets work, until nothing copied is held.
    - CLOSE_NOW: everything copied is sold at the market, again each cycle until it is.
    """

    KEEP = "keep"
    CLOSE_ONLY = "close_only"
    CLOSE_NOW = "close_now"
