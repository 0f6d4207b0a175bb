"""What a route gets, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from bot.console.roles import Principal, Role

if TYPE_CHECKING:
    from bot.console.context import Context


class Refusal(Exception):
    """Nothing was done; the sentence says why and what to do. `extra` goes into the answer beside it."""

    def __init__(self, status: int, sentence: str, **extra: object) -> None:
        super().__init__(sentence)
        self.status = status
        self.extra = extra


@dataclass(frozen=True)
class Asked:
    """One request: the values in its path and query, its body (decoded JSON of a POST), and who asks."""

    context: "Context"
    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: object
    address: str


# Called in a thread of its own pool: it may read the store. What it returns is sent as JSON, unless it is a response.
Handler = Callable[[Asked], object]


@dataclass(frozen=True)
class ConsoleRoute:
    """One thing that can be asked. Every route is one of these, so that rights can be checked over all of them.

    `needs`: the role without which it is not answered. `any_host`: also under a name that is not ours (health checks
    of platforms come by address). `health`: served even where nobody can sign in.
    """

    method: str
    path: str
    needs: Role
    handler: Handler
    any_host: bool = False
    health: bool = False


_ENCODER = msgspec.json.Encoder(decimal_format="string")


def json_answer(value: object, *, status: int = 200) -> Response:
    """Money is text in it."""
    return Response(_ENCODER.encode(value), status, media_type="application/json")
