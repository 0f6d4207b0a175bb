"""ccxt signs, and nothing else of it is used: it sends nothing, waits for nothing and parses nothing here.

A ccxt exchange object holds megabytes of tables that are the same for every account. They are made once per exchange;
an account's signer is a shallow copy with its own keys, addresses and clock.
"""

import copy
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from bot.domain.errors import CredentialsRejected

# Binance also issues keys whose secret is a private key of the owner's.
PRIVATE_KEY = "PRIVATE KEY"
LONGEST_ED25519_PEM = 120


@dataclass(frozen=True)
class SignedRequest:
    """What goes over the wire, to the byte. Its parts hold keys, so it is never shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class _Exchange(Protocol):
    """The part of a ccxt exchange that a signature is made with."""

    apiKey: str
    secret: str
    password: str
    urls: Mapping[str, object]
    options: Mapping[str, object]
    session: object
    nonce: Callable[[], int]

    def sign(self, path: str, api: list[str], method: str, params: dict[str, object]) -> Mapping[str, object]: ...

    def hmac(self, request: bytes, secret: bytes, algorithm: Callable[..., object], digest: str) -> object: ...

    def rsa(self, request: str, secret: str, alg: str) -> object: ...

    def eddsa(self, request: bytes, secret: str, curve: str) -> object: ...


_tables_lock = threading.Lock()
_tables: dict[str, _Exchange] = {}


def _tables_of(exchange_id: str) -> _Exchange:
    """The exchange object that all signers of one exchange are copies of."""
    with _tables_lock:
        found = _tables.get(exchange_id)
        if found is None:
            import ccxt  # 76 MB and a third of a second: only for who trades there

            found = _tables[exchange_id] = cast(_Exchange, getattr(ccxt, exchange_id)({"enableRateLimit": False}))
        return found


class CcxtSigner:
    """Signs for one account, by the time that `milliseconds` tells (unix milliseconds, the venue's).

    `urls` are the addresses by ccxt's name of the interface (`private`, `sapi`).
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        urls: Mapping[str, str],
        api_key: str,
        api_secret: str,
        passphrase: str = "",
        options: Mapping[str, object] | None = None,
        milliseconds: Callable[[], int],
    ) -> None:
        tables = _tables_of(exchange_id)
        self._exchange = exchange = copy.copy(tables)
        exchange.session = None  # its own way to the wire is never taken
        exchange.apiKey, exchange.secret, exchange.password = api_key, api_secret, passphrase
        exchange.urls = {"api": dict(urls)}
        exchange.options = {**(options or {})}
        exchange.nonce = milliseconds

    def sign(self, interface: str, path: str, verb: str, params: Mapping[str, object]) -> SignedRequest:
        """Raises `CredentialsRejected` when the secret cannot sign; its words say nothing of the secret."""
        try:
            made = self._exchange.sign(path, [interface], verb, dict(params))
        except Exception:  # noqa: BLE001 - many kinds, and their words may be about the secret
            raise CredentialsRejected("not sent: the API secret cannot sign") from None
        headers, body = made["headers"], made["body"]
        assert isinstance(headers, dict)
        return SignedRequest(
            url=str(made["url"]),
            headers={str(name): str(value) for name, value in headers.items()},
            body=None if body is None else str(body).encode(),
        )

    def signature(self, text: str, *, base64: bool = False) -> str:
        """Of what is signed over a WebSocket, by the kind of the secret: hexadecimal unless said otherwise.

        Raises `CredentialsRejected` as `sign` does.
        """
        exchange, secret = self._exchange, self._exchange.secret
        try:
            if PRIVATE_KEY not in secret:
                made = exchange.hmac(text.encode(), secret.encode(), hashlib.sha256, "base64" if base64 else "hex")
            elif len(secret) > LONGEST_ED25519_PEM:
                made = exchange.rsa(text, secret, "sha256")
            else:
                made = exchange.eddsa(text.encode(), secret, "ed25519")
            return str(made)
        except Exception:  # noqa: BLE001 - as above
            raise CredentialsRejected("not sent: the API secret cannot sign") from None
