"""OKX's codes. An order that is not accepted is answered with HTTP 200; a key's fault mostly with 401."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.brokers.by_ccxt.meanings import Meaning, Refusal
from bot.brokers.replies import optional_text

OK = "0"
# In place of a code of its own: the code of the one order is inside.
SINGLE_FAILED = frozenset({"1", "2"})
ABSENT = frozenset({"51603"})
# The market is listed no more: nothing is found by its name, whether it exists or not.
NO_MARKET = frozenset({"51001"})
GONE_ORDER = frozenset({"51400", "51401", "51402", "51405", "51503", "51603"})
BEING_CANCELLED = frozenset({"51410"})
TOO_MANY = frozenset({"50011"})
TOO_MANY_ORDERS = frozenset({"50061"})
LATE = frozenset({"50036", "50037"})
CLOCK = frozenset({"50102", "50107", "50112"})
# The key itself, whatever is asked with it.
KEY = frozenset({"50100", "50101", "50103", "50104", "50105", "50106", "50110", "50111", "50113", "50114", "50119"})
# A right concerns some paths only.
RIGHT = frozenset({"50120", "50121", "50030"})
# 50001 unavailable, 50013 busy, 50026 system error: an order may be in the book all the same.
DOWN = frozenset({"50001", "50013", "50026"})
FUNDS = frozenset({"51008", "51119", "51127", "51131", "51502"})
MARKET_CLOSED = frozenset({"51021", "51022", "51027", "51028", "51029", "51030", "51009"})
# What is said to an order that was made by other rules of its market than the venue's present ones.
MARKET_RULES = frozenset({"51001", "51005", "51020", "51120", "51121", "51150", "51201", "51202", "51203", "51204"})
REFUSED = MARKET_RULES | frozenset(
    {
        "50000",  # the body
        "50002",
        "50006",
        "50014",  # a parameter that is missing
        "50015",
        "50016",
        "50024",
        "50025",
        "50027",  # the account is restricted
        "51000",  # a parameter
        "51003",  # neither id
        "51004",  # beyond the account's limit
        "51006",  # beyond the price band
        "51010",  # not in this account mode
        "51015",
        "51017",
        "51023",
        "51024",  # trading is blocked for this account
        "51025",
        "51026",
        "51031",
        "51046",
        "51047",
        "51101",
        "51102",
        "51103",
        "51108",
        "51111",
        "51116",  # price limits
        "51117",
        "51124",
        "51128",
        "51130",
        "51132",
        "51133",
        "51134",
        "51135",
        "51136",
        "51137",  # a buy above the highest price
        "51138",  # a sell below the lowest price
        "51139",
        "51143",
        "51147",
        "51155",  # not sold where the owner lives
        "51156",
        "51174",
        "51250",
        "51415",
    }
)
# 51016 (a duplicate of a live order), 50004 (timed out inside) and all others prove nothing.
MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        code: meaning
        for codes, meaning in (
            (REFUSED, Meaning.REFUSED),
            (FUNDS, Meaning.FUNDS),
            (MARKET_CLOSED, Meaning.MARKET_CLOSED),
            (TOO_MANY, Meaning.TOO_MANY),
            (TOO_MANY_ORDERS, Meaning.TOO_MANY_ORDERS),
            (LATE, Meaning.LATE),
            (CLOCK, Meaning.CLOCK),
            (KEY, Meaning.KEY),
            (RIGHT, Meaning.RIGHT),
            (DOWN, Meaning.DOWN),
        )
        for code in codes
    }
)
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "50101": "a key of demo trading needs okx.demo: true, a key of real trading needs it false",
        "50105": "the API passphrase is not the one that was chosen when this key was made",
        "50110": "this machine's address is not on the key's list; add it at OKX",
        "50111": "OKX does not know this key; keys of its other regions need that region's host in okx.rest_url",
        "50113": "the API secret does not belong to this key",
        "50119": "OKX does not know this key; keys of its other regions need that region's host in okx.rest_url",
        "50120": "the API key lacks the right; grant it at OKX",
    }
)


def refusal_of(code: str, words: str) -> Refusal:
    return Refusal(code, words, MEANINGS.get(code, Meaning.UNKNOWN), ADVICE.get(code, ""))


def speaks(document: object) -> bool:
    """Every document of the API has a code, as text."""
    return isinstance(document, dict) and isinstance(document.get("code"), str) and document["code"] != ""


def refusal_in(document: object, status: int) -> Refusal | None:
    """None as well for the failure of a single order: its reader looks inside."""
    assert isinstance(document, dict)
    code = document["code"]
    if code == OK or (code in SINGLE_FAILED and document.get("data")):
        return None
    return refusal_of(code, optional_text(document, "msg") or "")
