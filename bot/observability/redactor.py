"""Keeps every known secret out of the log, in whatever form it turns up."""

import logging
import threading
from collections.abc import Iterable

from bot.observability.secret_forms import SHORTEST_SECRET, forms_of
from bot.observability.visible import visible, visible_lines

# So much of a secret's beginning or end is blanked where the rest was cut off. It is more than all keys of a brokerage
# have in common (`organizations/`), which stands in sentences too.
SHORTEST_PIECE = 16


class Redactor(logging.Filter):
    """Replaces every known secret, in the forms in which it may turn up, in messages and tracebacks.

    A line costs the same however many secrets there are: a thousand accounts have thousands. Any thread may call it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # By their first and by their last characters. A tuple is replaced whole, so that readers need no lock.
        self._forms: dict[str, tuple[str, ...]] = {}
        self._adding = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never let this text through again."""
        with self._adding:
            for form in forms_of(secret):
                for end in {form[:SHORTEST_SECRET], form[-SHORTEST_SECRET:]}:
                    self._forms[end] = tuple({*self._forms.get(end, ()), form})

    def clean(self, text: str) -> str:
        """Without any known secret, and without the beginning or the end of one that was cut off."""
        forms, at = self._forms, 0
        while at <= len(text) - SHORTEST_SECRET:
            known = forms.get(text[at : at + SHORTEST_SECRET])
            if known is not None:
                begin, end = max((_found(form, text, at) for form in known), key=lambda span: span[1] - span[0])
                if end > begin:
                    text = f"{text[:begin]}***{text[end:]}"
                    at = begin + 2
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


def _found(form: str, text: str, at: int) -> tuple[int, int]:
    """From where to where the text shows this form, with a beginning or an end of it at `at`; (0, 0) = too little."""
    middle = at + SHORTEST_SECRET
    begun = _alike(form, text[at : at + len(form)])
    ended = _alike(form[::-1], text[max(0, middle - len(form)) : middle][::-1])
    begun = begun if begun >= _least_beginning(form) else 0
    ended = ended if ended >= min(len(form), SHORTEST_PIECE) else 0
    if not begun and not ended:
        return (0, 0)
    return (at, at + begun) if begun >= ended else (middle - ended, middle)


def _least_beginning(form: str) -> int:
    """Of an address, more than the part that says where it is: others have that in common with it."""
    scheme = form.find("://")
    path = form.find("/", scheme + 3) if scheme > 0 else -1
    return min(len(form), max(SHORTEST_PIECE, path + SHORTEST_SECRET))


def _alike(one: str, other: str) -> int:
    """How many characters they have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (mine, its) in pairs if mine != its), min(len(one), len(other)))


def _message(record: logging.LogRecord) -> str:
    """A line that cannot be put together is told as it is: a mistake in a message stops nobody."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever an argument's own text raises
        return f"{record.msg} (its values cannot be shown: {type(error).__name__})"
