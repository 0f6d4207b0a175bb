"""One HTTP answer, read from the bytes as they arrive.

Strict where the framing is in doubt: an answer whose end cannot be told for certain is none, and whether its request
was carried out is found out by asking.
"""

from collections.abc import Mapping

from bot.brokers.http_session import MAX_BODY_BYTES, USED_WEIGHT, HttpReply, retry_after, whole_number

MAX_HEAD_BYTES = 64 * 1024
_HEAD_END = b"\r\n\r\n"
_BODILESS = (204, 304)


class BadReply(Exception):
    """What arrives is no HTTP answer, or one whose end cannot be told."""


class ReplyReader:
    """Of one request. `feed` with everything that arrives, `end` when the other side has closed."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._status = 0
        self._headers: Mapping[str, str] | None = None
        self._body = bytearray()
        # Bytes of the body that are still to come; None = chunks, or all until the end.
        self._missing: int | None = None
        self._chunked = False

    @property
    def keeps_connection(self) -> bool:
        """Whether another request may follow on the same connection, after the answer."""
        headers = self._headers or {}
        framed = self._chunked or self._missing is not None
        return framed and "close" not in headers.get("connection", "").lower() and not self._data

    def feed(self, data: bytes) -> HttpReply | None:
        """The answer, once it is complete. Raises `BadReply`."""
        self._data += data
        while self._headers is None:
            if not self._take_head():
                return None
        if self._chunked:
            return self._take_chunks()
        if self._missing is None:
            self._take_bytes(len(self._data))
            return None
        self._missing -= self._take_bytes(min(self._missing, len(self._data)))
        return self._reply() if self._missing == 0 else None

    def end(self) -> HttpReply | None:
        """The answer whose end is the connection's, None when it is not complete."""
        told_by_end = self._headers is not None and not self._chunked and self._missing is None
        return self._reply() if told_by_end else None

    # -- the head ---------------------------------------------------------------------------------------------------
    def _take_head(self) -> bool:
        end = self._data.find(_HEAD_END)
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise BadReply("its head does not end")
            return False
        head = bytes(self._data[:end]).decode("latin-1")
        del self._data[: end + len(_HEAD_END)]
        first, *lines = head.split("\r\n")
        self._status = _status_of(first)
        if self._status >= 200:  # before it a venue may say that it goes on
            self._headers = _headers_of(lines)
            self._frame()
        return True

    def _frame(self) -> None:
        assert self._headers is not None
        coding, length = self._headers.get("transfer-encoding"), self._headers.get("content-length")
        if self._status in _BODILESS:
            self._missing = 0
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise BadReply(f"framed as {coding[:40]!r}, with length {length!r}")
            self._chunked = True
        elif length is not None:
            self._missing = _whole(length, 10)

    # -- the body ---------------------------------------------------------------------------------------------------
    def _take_bytes(self, count: int) -> int:
        if len(self._body) + count > MAX_BODY_BYTES:
            raise BadReply(f"the answer is larger than {MAX_BODY_BYTES} bytes")
        self._body += self._data[:count]
        del self._data[:count]
        return count

    def _take_chunks(self) -> HttpReply | None:
        """Chunk by chunk; whatever follows the last one up to an empty line says nothing of interest."""
        while (line_end := self._data.find(b"\r\n")) >= 0:
            size = _whole(bytes(self._data[:line_end]).decode("latin-1").partition(";")[0].strip(), 16)
            if size == 0:
                return self._take_trailer(line_end)
            if len(self._data) < line_end + 2 + size + 2:
                break
            if self._data[line_end + 2 + size : line_end + 4 + size] != b"\r\n":
                raise BadReply("a chunk is longer than it says")
            del self._data[: line_end + 2]
            self._take_bytes(size)
            del self._data[:2]
        if len(self._data) > MAX_BODY_BYTES:
            raise BadReply("a chunk does not end")
        return None

    def _take_trailer(self, line_end: int) -> HttpReply | None:
        # The two bytes that end the last chunk's line belong to the empty line if nothing follows.
        end = self._data.find(_HEAD_END, line_end)
        if end < 0:
            return None
        del self._data[: end + len(_HEAD_END)]
        return self._reply()

    def _reply(self) -> HttpReply:
        headers = self._headers or {}
        used = whole_number(headers.get(USED_WEIGHT))
        return HttpReply(self._status, bytes(self._body), retry_after(headers.get("retry-after")), used)


def _status_of(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()) or rest[3:4] not in ("", " "):
        raise BadReply(f"it begins with {line[:40]!r}")
    return int(code)


def _headers_of(lines: list[str]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip()
        if not colon or not name or name != name.strip():
            raise BadReply(f"a header reads {line[:40]!r}")
        if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
            raise BadReply(f"two values of {name}")
        headers[name] = value
    return headers


def _whole(text: str, base: int) -> int:
    digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    if not text or len(text) > 12 or any(character not in digits for character in text):
        raise BadReply(f"{text[:20]!r} is no length")
    return int(text, base)
