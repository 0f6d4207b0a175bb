"""Everything else, by apprise, which knows a hundred services; it is installed by whoever wants it."""

import importlib
from typing import Any

from bot.notifications.delivery import Message, NotDelivered

NOT_INSTALLED = "NIJA_APPRISE_URLS needs apprise, which is not installed: pip install apprise"


class Apprise:
    """All addresses of NIJA_APPRISE_URLS at once; apprise's own notes go to its logger, without addresses."""

    name = "apprise"

    def __init__(self, urls: str) -> None:
        self._urls = urls.split()

    def send(self, message: Message) -> None:
        try:
            module: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise NotDelivered(NOT_INSTALLED) from error
        sender = module.Apprise()
        understood = [sender.add(url) for url in self._urls]
        if not all(understood):
            raise NotDelivered(f"apprise does not understand address {understood.index(False) + 1}")
        if not sender.notify(title=message.title, body=message.text):
            raise NotDelivered("apprise could not deliver it to each address")

    def cut(self) -> None:
        """Its connections are its own, with its own time-outs."""
