"""Who somebody is to the console, and what that allows."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """Each allows what those before it allow."""

    NONE = 0
    VIEW = 1
    CONTROL = 2


@dataclass(frozen=True)
class Principal:
    """Whoever makes a request. `session_id` is empty for who comes without a cookie; `csrf` belongs to the session.

    `by_token`: a script with a bearer token, which no browser sends by itself.
    """

    role: Role
    name: str
    session_id: str = ""
    csrf: str = ""
    by_token: bool = False


NOBODY = Principal(Role.NONE, "nobody")
