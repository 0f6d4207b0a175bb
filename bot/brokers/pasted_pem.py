"""Coinbase's private key as people paste it: escaped, quoted, on one line, base64 of it all, the whole key file."""

import base64
import binascii
import json
import re
import textwrap
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_der_private_key

_BLOCK = re.compile(r"-----BEGIN ((?:EC )?PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN = re.compile(r"-----BEGIN ((?:EC )?PRIVATE KEY)-----")
_END = re.compile(r"-----END ((?:EC )?PRIVATE KEY)-----")
_BASE64_TEXT = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*", re.ASCII)


class PemRefused(ValueError):
    """The defect, as the end of a sentence that begins with the variable's name."""


@dataclass(frozen=True)
class PastedPem:
    """A PEM in its ordinary form, and what had to be undone."""

    text: str = field(repr=False)
    repairs: tuple[str, ...] = ()


def ec_private_key_pem(pasted: str) -> PastedPem:
    """The PEM (SEC1 or PKCS8) of an EC P-256 private key. Raises `PemRefused` naming the defect, never the value."""
    repairs: list[str] = []
    text = _undo_escapes(_undo_wrappings(pasted, repairs), repairs)
    label, body = _block(text)
    der = _decoded(body)
    _require_p256(der)
    pem = f"-----BEGIN {label}-----\n" + "\n".join(textwrap.wrap(_compact(body), 64)) + f"\n-----END {label}-----\n"
    ordinary = text.replace("\r\n", "\n").strip() == pem.strip()
    if not ordinary:
        repairs.append("has its line breaks lost or changed; they were restored")
    return PastedPem(pem, tuple(repairs))


def _undo_wrappings(text: str, repairs: list[str]) -> str:
    """The whole key file (JSON) or the base64 of a PEM become the PEM."""
    if text.startswith("{"):
        repairs.append("holds the whole key file; its privateKey was taken")
        return _from_key_file(text)
    if "-----" in text or not _BASE64_TEXT.fullmatch(text):
        return text
    try:
        inner = base64.b64decode(_compact(text), validate=True)
    except binascii.Error:
        return text
    if b"-----BEGIN" in inner:
        repairs.append("holds the base64 of a PEM; it was decoded")
        return inner.decode("ascii", "replace")
    return text


def _from_key_file(text: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):  # a text of thousands of brackets exhausts the reader's stack
        raise PemRefused("begins like a key file in JSON but is not one; paste the private key itself") from None
    private_key = content.get("privateKey") if isinstance(content, dict) else None
    if not isinstance(private_key, str):
        raise PemRefused("holds a JSON text without privateKey; paste the private key itself")
    return private_key


def _undo_escapes(text: str, repairs: list[str]) -> str:
    plain = re.sub(r"\\+r", "", re.sub(r"\\+n", "\n", text))
    if plain != text:
        repairs.append(r"has \n written out; line breaks were put there")
    return plain.strip().strip("\"'").strip()


def _block(text: str) -> tuple[str, str]:
    """Label and base64 body of the private key, whatever else (EC PARAMETERS) stands around it."""
    found = _BLOCK.search(text)
    if found:
        return found[1], found[2]
    if "ENCRYPTED" in text:
        raise PemRefused("is encrypted with a pass phrase; paste the key as Coinbase shows it")
    if "PUBLIC KEY-----" in text or "CERTIFICATE-----" in text:
        raise PemRefused("holds a public key or certificate; the private key is needed")
    begin = _BEGIN.search(text)
    if begin:
        raise PemRefused(f"is cut off: its last line -----END {begin[1]}----- is missing or incomplete")
    end = _END.search(text)
    if end:
        raise PemRefused(f"lacks its first line -----BEGIN {end[1]}-----")
    if "OPENSSH PRIVATE" in text or "RSA PRIVATE" in text:
        raise PemRefused("holds a key of another kind; Coinbase issues EC PRIVATE KEY")
    if "PRIVATE KEY" in text:
        raise PemRefused("has a damaged first line; it must be -----BEGIN EC PRIVATE KEY-----")
    return _bare_body(text)


def _bare_body(text: str) -> tuple[str, str]:
    """Only the base64 between the two lines was pasted: the bytes say which kind it is."""
    der = _decoded(text) if _BASE64_TEXT.fullmatch(text) and len(_compact(text)) % 4 == 0 else b""
    if len(der) == 64:
        raise PemRefused("holds an Ed25519 key; create the key with signature algorithm ECDSA")
    # Every private key in DER is a SEQUENCE, whose first byte is 0x30.
    if not der.startswith(b"\x30"):
        raise PemRefused("is not a PEM private key (-----BEGIN EC PRIVATE KEY----- …)")
    # SEC1 begins with version 1, PKCS8 with version 0.
    return ("EC PRIVATE KEY" if b"\x02\x01\x01" in der[:6] else "PRIVATE KEY"), text


def _decoded(body: str) -> bytes:
    compact = _compact(body)
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", compact):
        raise PemRefused("has characters between its first and last line that are not base64")
    try:
        return base64.b64decode(compact, validate=True)
    except binascii.Error:
        raise PemRefused("is damaged: characters are missing between its first and last line") from None


def _require_p256(der: bytes) -> None:
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PemRefused("is damaged: what stands between its first and last line is no private key") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raise PemRefused("holds an Ed25519 key; create the key with signature algorithm ECDSA")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PemRefused("is a private key of another kind; Coinbase issues EC keys on the curve P-256")


def _compact(text: str) -> str:
    return re.sub(r"\s+", "", text)
