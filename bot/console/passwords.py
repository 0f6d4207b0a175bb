"""The passwords and tokens of the console: from the environment alone, and compared without telling anything."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.console.roles import Role
from bot.settings.env_source import CONSOLE_PASSWORD, CONSOLE_TOKEN, CONSOLE_VIEW_PASSWORD, CONSOLE_VIEW_TOKEN

SHORTEST_PASSWORD = 10
# 128 bits in base64, or more in any other alphabet.
SHORTEST_TOKEN = 22
_PASSWORDS: Mapping[Role, str] = {Role.CONTROL: CONSOLE_PASSWORD, Role.VIEW: CONSOLE_VIEW_PASSWORD}
_TOKENS: Mapping[Role, str] = {Role.CONTROL: CONSOLE_TOKEN, Role.VIEW: CONSOLE_VIEW_TOKEN}


@dataclass(frozen=True)
class Passwords:
    """What opens the console, by role; an entry that is too short opens nothing and is in `problems`."""

    passwords: Mapping[Role, str] = field(default_factory=dict, repr=False)
    tokens: Mapping[Role, str] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Passwords":
        """From the variables above; empty ones count as not set."""
        problems: list[str] = []
        return cls(
            _read(environ, _PASSWORDS, SHORTEST_PASSWORD, problems),
            _read(environ, _TOKENS, SHORTEST_TOKEN, problems),
            tuple(problems),
        )

    @property
    def any(self) -> bool:
        """Whether anybody can come in by one of them."""
        return bool(self.passwords or self.tokens)

    def bound_to(self, key: bytes) -> bytes:
        """A key that is another one as soon as a password is: whoever came in by the old one is out."""
        text = "\0".join(f"{role.name}={value}" for role, value in sorted(self.passwords.items()))
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    def role_of_password(self, given: str) -> Role:
        return _role(self.passwords, given)

    def role_of_token(self, given: str) -> Role:
        return _role(self.tokens, given)


def _read(
    environ: Mapping[str, str], names: Mapping[Role, str], shortest: int, problems: list[str]
) -> Mapping[Role, str]:
    found: dict[Role, str] = {}
    for role, name in names.items():
        value = environ.get(name, "").strip()
        if value and len(value) < shortest:
            problems.append(f"{name} has {len(value)} characters and needs at least {shortest}; it opens nothing")
        elif value:
            found[role] = value
    if len(found) == 2 and len(set(found.values())) == 1:
        problems.append(f"{' and '.join(names.values())} are the same: it opens with view rights only")
        del found[Role.CONTROL]
    return found


def _role(known: Mapping[Role, str], given: str) -> Role:
    """Every known one is compared, whichever fits."""
    fits = [role for role, value in known.items() if hmac.compare_digest(value.encode(), given.encode())]
    return max(fits, default=Role.NONE)
