"""What each venue's keys look like, so that a wrong paste is refused at the start and not by the venue."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.brokers.pasted_pem import PemRefused, ec_private_key_pem
from bot.domain.account import BrokerType

KRAKEN_SECRET_BYTES = 64
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_HEX32 = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_ALPACA_KEY = re.compile(r"[PA]K[A-Z0-9]{14,30}", re.ASCII)
_COINBASE_KEY_NAME = re.compile(r"organizations/[A-Za-z0-9-]{1,64}/apiKeys/[A-Za-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Shaped:
    """A key and secret that have the venue's form."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    warnings: tuple[str, ...] = ()


Outcome = tuple[list[str], Shaped | None]
Shape = Callable[[str, str, str, str], Outcome]


def kraken(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """Key: base64 text. Secret: base64 of 64 bytes (venue documentation and every issued key)."""
    if _is_kraken_secret(key) and not _is_kraken_secret(secret):
        return [f"{key_variable} holds a secret: {key_variable} and {secret_variable} are swapped"], None
    problems = []
    if key.startswith(("-----BEGIN", "organizations/")):
        problems.append(f"{key_variable} holds a Coinbase credential, not a Kraken key")
    elif not _BASE64.fullmatch(key):
        problems.append(f"{key_variable} has characters that no Kraken key has (letters, digits, + and / only)")
    elif not 32 <= len(key) <= 128:
        problems.append(f"{key_variable} has {len(key)} characters; a Kraken key has 56")
    defect = _kraken_secret_defect(secret)
    if defect:
        problems.append(f"{secret_variable} {defect}")
    return problems, None if problems else Shaped(key, secret)


def coinbase(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """Key: `organizations/{org}/apiKeys/{id}`. Secret: an EC P-256 private key as PEM, in any of its pasted forms."""
    if "PRIVATE KEY" in key and _COINBASE_KEY_NAME.fullmatch(secret):
        return [f"{key_variable} holds the private key: {key_variable} and {secret_variable} are swapped"], None
    problems = []
    if not _COINBASE_KEY_NAME.fullmatch(key):
        problems.append(f"{key_variable} is not a Coinbase key name (organizations/…/apiKeys/…)")
    try:
        pem = ec_private_key_pem(secret)
    except PemRefused as refused:
        return [*problems, f"{secret_variable} {refused}"], None
    warnings = tuple(f"{secret_variable} {repair}" for repair in pem.repairs)
    return problems, None if problems else Shaped(key, pem.text, warnings)


def okx(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """Key: a UUID. Secret: 32 hexadecimal digits. Older ones differ, so that only the swapped are refused."""
    if _HEX32.fullmatch(key) and _UUID.fullmatch(secret):
        return [f"{key_variable} holds a secret: {key_variable} and {secret_variable} are swapped"], None
    return _plain_tokens(key_variable, key, secret_variable, secret, venue="OKX")


def binance(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """64 letters and digits each: nothing tells a swapped pair. A private key as secret is of another kind of key."""
    if "PRIVATE KEY" in secret:
        kind = "make one that Binance itself generates (HMAC); Ed25519 and RSA keys are not used here"
        return [f"{secret_variable} holds a PEM private key; {kind}"], None
    return _plain_tokens(key_variable, key, secret_variable, secret, venue="Binance")


def alpaca(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """Key: PK… (paper trading) or AK… (live), capitals and digits. Secret: longer, of mixed letters and digits."""
    if _ALPACA_KEY.fullmatch(secret) and not _ALPACA_KEY.fullmatch(key):
        return [f"{key_variable} holds a secret: {key_variable} and {secret_variable} are swapped"], None
    if key.startswith("CK") and _ALPACA_KEY.fullmatch(f"P{key[1:]}"):
        return [f"{key_variable} is a key of Alpaca's Broker API; make one for the Trading API"], None
    return _plain_tokens(key_variable, key, secret_variable, secret, venue="Alpaca")


def any_exchange(key_variable: str, key: str, secret_variable: str, secret: str) -> Outcome:
    """A key and a secret of whatever form; a private key may have lines."""
    if "PRIVATE KEY" in secret:
        return [], Shaped(key, secret)
    return _plain_tokens(key_variable, key, secret_variable, secret, venue="this exchange")


def _plain_tokens(key_variable: str, key: str, secret_variable: str, secret: str, *, venue: str) -> Outcome:
    """Venues whose keys are one word of printable characters each."""
    problems = []
    for variable, value in ((key_variable, key), (secret_variable, secret)):
        if "PRIVATE KEY" in value or value.startswith("organizations/"):
            problems.append(f"{variable} holds a Coinbase credential, not one of {venue}")
        elif not _TOKEN.fullmatch(value):
            problems.append(f"{variable} has white space or a line break inside")
    if not problems and key == secret:
        problems.append(f"{key_variable} and {secret_variable} hold the same value")
    return problems, None if problems else Shaped(key, secret)


def passphrase_defects(variable: str, phrase: str, key: str, secret: str) -> list[str]:
    """What makes a text no pass phrase of an OKX key: its owner typed it, so that it may even have spaces inside."""
    if "\n" in phrase or "\r" in phrase:
        return [f"{variable} has a line break inside; it is one line"]
    if phrase in (key, secret):
        return [f"{variable} holds the API {'key' if phrase == key else 'secret'}; the pass phrase is what you chose"]
    return []


def passphrase_doubts(variable: str, phrase: str) -> tuple[str, ...]:
    """OKX asks for 8 to 32 characters; what differs is tried, and OKX has the last word."""
    if 8 <= len(phrase) <= 32:
        return ()
    return (f"{variable} has {len(phrase)} characters; OKX asks for 8 to 32. It may be cut off",)


SHAPES: dict[BrokerType, Shape] = {
    BrokerType.KRAKEN: kraken,
    BrokerType.COINBASE: coinbase,
    BrokerType.OKX: okx,
    BrokerType.BINANCE: binance,
    BrokerType.ALPACA: alpaca,
}


def shape_of(broker: BrokerType) -> Shape:
    """Of an exchange that is opened by name nothing is known but that both are one word each, or a PEM."""
    return SHAPES.get(broker, any_exchange)


def _is_kraken_secret(text: str) -> bool:
    return _kraken_secret_defect(text) is None


def _kraken_secret_defect(secret: str) -> str | None:
    if "PRIVATE KEY" in secret:
        return "holds a PEM private key (Coinbase's form), not a Kraken secret"
    if re.search(r"\s", secret):
        return "has white space or a line break inside; paste it again in one piece"
    if re.search(r"[-_]", secret):
        return "has - or _ in it, which Kraken's base64 never has; copy it again from Kraken"
    if not _BASE64.fullmatch(secret):
        return "is not base64 (letters, digits, + and /, = only at the end)"
    if len(secret) == 86:
        return "lacks the == at its end; it was left out when copying"
    try:
        size = len(base64.b64decode(secret, validate=True))
    except binascii.Error:
        return f"is cut off or damaged: {len(secret)} characters are no whole base64 text (a Kraken secret has 88)"
    if size != KRAKEN_SECRET_BYTES:
        return f"decodes to {size} bytes; a Kraken secret has {KRAKEN_SECRET_BYTES}"
    return None
