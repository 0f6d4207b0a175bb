"""Everything else, by apprise, which knows a hundred services; it is installed by whoever wants it."""

import importlib
import logging
from typing import Any

from bot.notifications.delivery import Message, NotDelivered

log = logging.getLogger(__name__)

NOT_INSTALLED = "NIJA_APPRISE_URLS needs apprise, which is not installed: pip install apprise"


class Apprise:
    """Each address of NIJA_APPRISE_URLS by itself, so that it is known which has it.

    Apprise's own notes go to its logger, without addresses; here an address is called by its place in the list.
    """

    name = "apprise"

    def __init__(self, urls: str) -> None:
        self._urls = urls.split()

    def send(self, message: Message) -> str:
        try:
            module: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise NotDelivered(NOT_INSTALLED) from error
        problems = [_problem_of(module, url, place, message) for place, url in enumerate(self._urls, start=1)]
        said = "; ".join(filter(None, problems))
        if all(problems):
            raise NotDelivered(said)
        return said

    def cut(self) -> None:
        """Its connections are its own, with its own time-outs."""


def _problem_of(module: Any, url: str, place: int, message: Message) -> str:
    """Why the address did not get it; "" = it has it."""
    sender = module.Apprise()
    try:
        if not sender.add(url):
            return f"apprise does not understand address {place}"
        return "" if sender.notify(title=message.title, body=message.text) else f"address {place} did not take it"
    except Exception as error:  # noqa: BLE001
        # A defect of one of its services is that address's failure: the others have it, and must not get it again.
        log.warning("apprise has failed at address %d in a way that nobody thought of: %s", place, type(error).__name__)
        return f"address {place} has failed: {type(error).__name__}"
