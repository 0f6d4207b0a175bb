"""Keeps every known secret out of the log, in whatever form it turns up."""

import logging
import threading
from collections.abc import Iterable

from bot.observability.secret_forms import SHORTEST_SECRET, forms_of
from bot.observability.visible import visible, visible_lines


class Redactor(logging.Filter):
    """Replaces every known secret, in the forms in which it may turn up, in messages and tracebacks.

    A line costs the same however many secrets there are: a thousand accounts have thousands. Any thread may call it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # By their first characters; the longest first. A tuple is replaced whole, so that readers need no lock.
        self._forms: dict[str, tuple[str, ...]] = {}
        self._adding = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never let this text through again."""
        with self._adding:
            for form in forms_of(secret):
                start = form[:SHORTEST_SECRET]
                known = {*self._forms.get(start, ()), form}
                self._forms[start] = tuple(sorted(known, key=len, reverse=True))

    def clean(self, text: str) -> str:
        forms, at = self._forms, 0
        while at <= len(text) - SHORTEST_SECRET:
            for form in forms.get(text[at : at + SHORTEST_SECRET], ()):
                if text.startswith(form, at):
                    text = f"{text[:at]}***{text[at + len(form) :]}"
                    at += 2
                    break
            at += 1
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Every line passes, cleaned: no secret in it, and nothing that would look like another line."""
        if getattr(record, "cleaned_by", None) is self:
            return True  # another handler's turn with the same line
        record.msg, record.args = visible(self.clean(_message(record))), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = visible_lines(self.clean(record.exc_text))
        if record.stack_info:
            record.stack_info = visible_lines(self.clean(record.stack_info))
        record.cleaned_by = self
        return True


def _message(record: logging.LogRecord) -> str:
    """A line that cannot be put together is told as it is: a mistake in a message stops nobody."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever an argument's own text raises
        return f"{record.msg} (its values cannot be shown: {type(error).__name__})"
