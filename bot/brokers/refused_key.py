"""What becomes of a key that the venue refuses while the bot runs: it is left alone, and tried again rarely.

Using a refused key on makes some venues lock out the key or the address, and can bring no answer. One refusal may be a
slip of the venue; two in a row, with no good answer between them, are its word.
"""

import logging
from datetime import datetime, timedelta

from bot.domain.errors import CredentialsRejected
from bot.seams.clock import Clock, format_time

log = logging.getLogger(__name__)

CONFIRMATIONS = 2
# Also between two connections of an account whose key was refused at the start.
REFUSED_KEY_PAUSE_SECONDS = 900.0


class RefusedKey:
    """One account's key at one venue. `label` and `venue` name them in messages.

    Asked by the account's thread before every private call and told of what came of it. `sentence` may be read by any.
    """

    def __init__(self, clock: Clock, *, label: str, venue: str) -> None:
        self._clock = clock
        self._label = label
        self._venue = venue
        self._in_a_row = 0
        self._since: datetime | None = None
        self._closed_until = 0.0
        self._venue_code = ""
        self.sentence = ""

    def check(self) -> None:
        """Raises `CredentialsRejected` while the key is left alone: certainly nothing was sent.

        When the pause is over one call may try the key; what the venue says to it decides.
        """
        if self.sentence and self._clock.monotonic() < self._closed_until:
            raise CredentialsRejected(self.sentence, venue_code=self._venue_code)

    def refused(self, error: Exception, *, venue_code: str) -> None:
        """The venue has refused the key itself, not a method or an order."""
        self._in_a_row += 1
        self._since = self._since or self._clock.now()
        self._venue_code = venue_code
        if self._in_a_row < CONFIRMATIONS:
            return
        is_news = not self.sentence
        self._closed_until = self._clock.monotonic() + REFUSED_KEY_PAUSE_SECONDS
        again = self._clock.now() + timedelta(seconds=REFUSED_KEY_PAUSE_SECONDS)
        self.sentence = (
            f"{self._venue} refuses the API key since {_short(self._since)} ({venue_code}); nothing is sent with it "
            f"until it is tried again at {_short(again)}. Give the account a key that works and restart"
        )
        log.log(
            logging.CRITICAL if is_news else logging.INFO,
            "%s: %s. Its positions are not looked after meanwhile. Last said: %s",
            self._label,
            self.sentence,
            error,
        )

    def accepted(self) -> None:
        """The venue has answered a call with this key."""
        if self.sentence:
            log.warning("%s: %s takes the API key again", self._label, self._venue)
        self._in_a_row, self._since, self.sentence = 0, None, ""


def _short(moment: datetime) -> str:
    """To the second, UTC."""
    return f"{format_time(moment)[:19].replace('T', ' ')} UTC"
