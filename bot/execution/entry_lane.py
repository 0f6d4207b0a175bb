"""The way of many users' entries in one batch, as the engine that plans them sees it."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from bot.storage.intents import OrderIntent


class EntryLane(Protocol):
    """Asked within the plan's transaction and told after its commit."""

    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        """Mark those of the entries just written that can leave at once as being sent; returns their client order ids.

        The others stay as they are, for their own threads. What goes wrong here keeps no plan from being made: nothing
        half done is left, and only what is wrong with the store is raised.
        """

    def depart(self, client_order_ids: Sequence[str]) -> None:
        """Their plan can be read by now: send them. Called once for each plan, in the engine's thread."""

    def tend(self) -> None:
        """About once a second, in the engine's thread: see to those of whom nothing was heard in time."""


class NoLane:
    """Nobody boards: every account sends by its own thread."""

    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        return ()

    def depart(self, client_order_ids: Sequence[str]) -> None:
        return None

    def tend(self) -> None:
        return None
