"""Where an account's venue is and what opens it. The brokers do not know the paper exchange from the real one."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bot.brokers.credentials import Credentials
from bot.domain.errors import ConfigurationError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, kw_only=True)
class VenueAccess:
    """Base URL (scheme and host, no path), credentials of one account, and whose money it is about.

    `ws_url` and `ws_auth_url` are the venue's public and private WebSockets, as far as it has any.
    """

    base_url: str
    credentials: Credentials
    mode: Literal["paper", "live"]
    ws_url: str | None = None
    ws_auth_url: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ConfigurationError(f"{self.base_url!r} is not a base URL like https://api.kraken.com")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            raise ConfigurationError(f"{self.base_url} would send signed requests unencrypted; use https")
        for url in filter(None, (self.ws_url, self.ws_auth_url)):
            _check_socket(url)


def _check_socket(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.path not in ("", "/"):
        raise ConfigurationError(f"{url!r} is not a base URL like wss://ws.kraken.com")
    if parts.scheme == "ws" and parts.hostname not in LOOPBACK_HOSTS:
        raise ConfigurationError(f"{url} would send tokens unencrypted; use wss")
