"""A store in which every text that a brokerage, a file or a person can write is an attempt to be markup."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Integer, Table
from sqlalchemy.dialects.sqlite import insert

from bot.storage import schema
from bot.storage.types import Amount, UtcTime
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot

# Each would set `hurt` if it were ever parsed as markup, followed as an address, or run as a template.
CORPUS = (
    "<img src=x onerror='window.hurt=1'>",
    '"><script>window.hurt=1</script>',
    "'><svg onload=window.hurt=1><animate onbegin=window.hurt=1>",
    "<a href='javascript:window.hurt=1' autofocus onfocus=window.hurt=1>here</a>",
    "</title></caption></table></dialog><iframe srcdoc='<script>parent.hurt=1</script>'></iframe>",
    "${window.hurt=1}{{constructor.constructor('window.hurt=1')()}}",
    "javascript:window.hurt=1//\N{RIGHT-TO-LEFT OVERRIDE}<meta http-equiv=refresh content='0;url=//example.com'>",
    "<style>@import '//example.com/x.css'</style><base href=//example.com/>",
)
SYMBOL = "<IMG SRC=X ONERROR=HURT=1>/USD"
ORDER = "0f8fad5bd9cb469fa16570867728950e"
SIGNAL = "7c9e6679f07940ffa87e5a3be1e9fb4c"
_ACCOUNT = DAIVON.label
# What the program itself writes, and reads back as one of few words.
_OWN: dict[str, dict[str, Any]] = {
    "health_transition": {"old": "healthy", "new": "failed", "old_phase": "", "new_phase": ""},
    "signal": {"signal_id": SIGNAL, "broker": "kraken", "account_id": KRAKEN.label, "side": "buy", "kind": "entry"},
    "order_intent": {
        "client_order_id": ORDER,
        "signal_id": SIGNAL,
        "side": "buy",
        "kind": "entry",
        "order_type": "market",
        "state": "unknown",
        "chain_id": None,
        "chain_end": None,
        "payload_sha256": None,
    },
    "order_event": {"client_order_id": ORDER, "old": "created", "new": "unknown"},
    "fill": {"broker": "kraken", "client_order_id": ORDER, "side": "buy", "fee_currency": "USD"},
    "position": {"signal_id": SIGNAL},
    "copy_result": {"signal_id": SIGNAL, "client_order_id": ORDER, "status": "failed"},
    "drift": {"cleared_at": None},
    "symbol_pause": {},
    "halt": {"scope": "symbol", "target": SYMBOL, "strength": "entries_off", "source": "page", "lifted_at": None},
    "veto": {"numbers_json": "{}", "signal_id": SIGNAL, "client_order_id": ORDER},
    "dust": {"reopened_at": None},
    "market_catalogue": {"broker": "kraken", "tradable": False},
    "market_scout": {"broker": "kraken", "sparkline_json": "[[1, 1.0, 1.0], [2, 2.0, 1.0]]"},
    "market_focus": {"broker": "kraken"},
    "market_mover": {"broker": "kraken"},
    "market_source": {"broker": "kraken"},
    "market_word": {"account_id": KRAKEN.label, "stage": "no_entry"},
    "entry_decision": {"account_id": KRAKEN.label, "numbers_json": "{}", "client_order_id": ORDER},
    "exit_state": {"status": "unguarded", "rules_json": "{}"},
    "exit_decision": {"status": "unguarded", "rules_json": "{}", "client_order_id": ORDER},
    "control_request": {
        "action": "kill",
        "state": "done",
        "details_json": "{}",
        "result_json": "{}",
        "role": "control",
    },
    "favourite": {"broker": "kraken"},
    "alert": {"severity": "critical", "cleared_at": None, "acked_at": None, "acked_by": ""},
}


def fill_store(stored: StoredBot) -> None:
    """Accounts, and a row of every table the page reads from, with the corpus wherever words are free."""
    texts = itertools.cycle(CORPUS)
    stored.runs()
    for ref in (KRAKEN, COINBASE, DAIVON):
        stored.account(
            ref,
            name=next(texts),
            health="degraded",
            health_reason=next(texts),
            waiting_for=next(texts),
            warning=next(texts),
            balance_status="stale",
            balance_reason=next(texts),
        )
    for name, own in _OWN.items():
        table = schema.metadata.tables[name]
        values = {**_row(table, texts), **own}
        stored.store.write(
            lambda connection, table=table, values=values: connection.execute(insert(table).values(values))
        )


def _row(table: Table, texts: Iterator[str]) -> dict[str, Any]:
    return {column.name: _value(column.name, column.type, texts) for column in table.columns}


def _value(name: str, kind: object, texts: Iterator[str]) -> object:
    if isinstance(kind, Amount):
        return Decimal("1.5")
    if isinstance(kind, UtcTime):
        return datetime.now(UTC)
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer):
        return 1
    return {"account_id": _ACCOUNT, "symbol": SYMBOL}.get(name) or next(texts)
