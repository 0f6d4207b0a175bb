"""The pages of each venue that need no key: its time, and what it says of itself.

Paths and forms are those of the venues' API documentation; a test reads each from the paper exchange.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.brokers.replies import (
    as_list,
    as_object,
    clock_time,
    decode_json,
    field_of,
    number,
    number_of,
    optional_text,
    text_of,
)
from bot.domain.account import BrokerType
from bot.domain.errors import UnreadableReply

# OKX's kinds of maintenance that stop spot trading: trading account, other, and all of trading.
_OKX_TRADING = frozenset({"0", "5", "8", "9"})
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_WORDS = 200


@dataclass(frozen=True)
class Status:
    """Whether the venue says that it trades, and in which words."""

    trades: bool
    words: str


@dataclass(frozen=True)
class Pages:
    """`time` None = the venue tells its time only to who has a key; `status` None = it has no page for that.

    `resolution_seconds`: how exact the time is that it tells.
    """

    time_path: str
    time: Callable[[Mapping[str, object]], datetime] | None
    status_path: str = ""
    status: Callable[[Mapping[str, object]], Status] | None = None
    resolution_seconds: float = 0.0


def _kraken_result(document: Mapping[str, object]) -> Mapping[str, object]:
    errors = as_list(document.get("error", []), where="Kraken")
    if errors:
        raise UnreadableReply(f"Kraken answers {', '.join(map(str, errors))[:_WORDS]}")
    return as_object(document.get("result"), where="Kraken")


def _kraken_time(document: Mapping[str, object]) -> datetime:
    return clock_time(number_of(_kraken_result(document), "unixtime", where="Kraken Time"), where="Kraken Time")


def _kraken_status(document: Mapping[str, object]) -> Status:
    words = text_of(_kraken_result(document), "status", where="Kraken SystemStatus")
    return Status(words == "online", words)


def _coinbase_time(document: Mapping[str, object]) -> datetime:
    return clock_time(number_of(document, "epochMillis", where="Coinbase time") / 1000, where="Coinbase time")


def _okx_rows(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [as_object(row, where="OKX") for row in as_list(field_of(document, "data", where="OKX"), where="OKX")]


def _okx_time(document: Mapping[str, object]) -> datetime:
    rows = _okx_rows(document)
    if not rows:
        raise UnreadableReply("OKX tells no time")
    return clock_time(number_of(rows[0], "ts", where="OKX time") / 1000, where="OKX time")


def _okx_status(document: Mapping[str, object]) -> Status:
    for row in _okx_rows(document):
        if row.get("state") == "ongoing" and row.get("serviceType") in _OKX_TRADING:
            return Status(False, optional_text(row, "title") or "trading is under maintenance")
    return Status(True, "no maintenance of trading")


def _binance_time(document: Mapping[str, object]) -> datetime:
    return clock_time(number_of(document, "serverTime", where="Binance time") / 1000, where="Binance time")


def _binance_status(document: Mapping[str, object]) -> Status:
    is_down = number(field_of(document, "status", where="Binance status"), where="Binance status") != 0
    return Status(not is_down, optional_text(document, "msg") or ("maintenance" if is_down else "normal"))


PAGES: Mapping[BrokerType, Pages] = MappingProxyType(
    {
        BrokerType.KRAKEN: Pages("/0/public/Time", _kraken_time, "/0/public/SystemStatus", _kraken_status, 1.0),
        BrokerType.COINBASE: Pages("/api/v3/brokerage/time", _coinbase_time),
        BrokerType.OKX: Pages("/api/v5/public/time", _okx_time, "/api/v5/system/status?state=ongoing", _okx_status),
        BrokerType.BINANCE: Pages("/api/v3/time", _binance_time, "/sapi/v1/system/status", _binance_status),
        BrokerType.ALPACA: Pages("/v2/clock", None),
    }
)
# An exchange that is opened by name: that it answers at all is known before its adapter is tried.
OF_OTHERS = Pages("/", None)


def pages_of(broker: BrokerType) -> Pages:
    return PAGES.get(broker, OF_OTHERS)


def document_of(body: bytes, *, where: str) -> Mapping[str, object]:
    """Raises `UnreadableReply`."""
    return as_object(decode_json(body, where=where), where=where)


def words_of(body: bytes) -> str:
    """What a refusal says to people: text, whether it came as JSON or as a page of HTML; one short line."""
    text = body[:4000].decode("utf-8", errors="replace")
    try:
        said = decode_json(body, where="")
    except UnreadableReply:
        shown = " ".join(_TAG.sub(" ", text).split())
    else:
        messages = (
            [said[name] for name in ("msg", "message", "error") if name in said] if isinstance(said, dict) else []
        )
        shown = " ".join(str(messages[0] if messages else text).split())
    printable = "".join(letter for letter in shown if letter.isprintable())
    return printable[:_WORDS]
