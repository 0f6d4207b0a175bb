"""Binance's codes. One code stands for many refusals of its engine; there the words decide."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.brokers.by_ccxt.meanings import Meaning, Refusal
from bot.brokers.replies import optional_text

# From whatever stands in front of the API, and from the API itself.
NO_SUCH_PAGE = frozenset({"404", "-5000"})
ABSENT = "-2013"
# Archived: it was never filled.
ARCHIVED = "-2026"
CANCEL_REFUSED = "-2011"
GONE_WORDS = "unknown order sent"
REJECTED = "-2010"
CLOCK = frozenset({"-1021"})
KEY = frozenset({"-2014", "-2015", "-1022"})
RIGHT = frozenset({"-1002"})
TOO_MANY = frozenset({"-1003"})
TOO_MANY_ORDERS = frozenset({"-1015"})
DOWN = frozenset({"-1000", "-1001", "-1006", "-1007", "-1008", "-1016"})
FILTER = "-1013"
# What is said to an order that was made by other rules of its market than the venue's present ones.
MARKET_RULES = frozenset({FILTER, "-1111", "-1121"})
REFUSED = MARKET_RULES | frozenset(
    {
        "-1014",  # a combination that is not supported
        "-1020",
        "-1100",
        "-1101",
        "-1102",
        "-1103",
        "-1104",
        "-1105",
        "-1106",
        "-1108",
        "-1112",  # nobody sells or buys
        "-1114",
        "-1115",
        "-1116",
        "-1117",
        "-1118",
        "-1119",
        "-1120",
        "-1128",
        "-1130",
        "-1131",
        "-1134",
        "-1145",
        "-1151",
        "-1165",
    }
)
MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        code: meaning
        for codes, meaning in (
            (REFUSED, Meaning.REFUSED),
            (CLOCK, Meaning.CLOCK),
            (KEY, Meaning.KEY),
            (RIGHT, Meaning.RIGHT),
            (TOO_MANY, Meaning.TOO_MANY),
            (TOO_MANY_ORDERS, Meaning.TOO_MANY_ORDERS),
            (DOWN, Meaning.DOWN),
        )
        for code in codes
    }
)
# Words of -2010 and -1013, in small letters. What is not among them, a duplicate above all, proves nothing.
WORDS: tuple[tuple[str, Meaning], ...] = (
    ("duplicate", Meaning.UNKNOWN),
    ("insufficient balance", Meaning.FUNDS),
    ("market is closed", Meaning.MARKET_CLOSED),
    ("would trigger immediately", Meaning.REFUSED),
    ("would immediately match", Meaning.REFUSED),
    ("not supported for this symbol", Meaning.REFUSED),
    ("not permitted", Meaning.REFUSED),
    ("is restricted", Meaning.REFUSED),
    ("action is disabled", Meaning.REFUSED),
    ("trading is not enabled", Meaning.REFUSED),
    ("price * qty is zero", Meaning.REFUSED),
    ("icebergqty exceeds", Meaning.REFUSED),
    ("exceeds the maximum number of tradable symbols", Meaning.REFUSED),
    ("liquidity is less than", Meaning.REFUSED),
    ("no orders on book", Meaning.REFUSED),
    ("unsupported order combination", Meaning.REFUSED),
    ("not possible in this trading phase", Meaning.MARKET_CLOSED),
    ("filter failure", Meaning.REFUSED),
)
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "-2014": "the API key has not the form of a Binance key",
        "-2015": (
            "Binance does not know this key here, or it may not be used from this machine's address, or it lacks the "
            "right; keys of the test net and of Binance.US need that host in binance.rest_url"
        ),
        "-1022": "the API secret does not belong to this key",
        "451": "Binance does not serve this machine's location",
    }
)
RESTRICTED_LOCATION = 451


def refusal_of(code: str, words: str, status: int) -> Refusal:
    if status == RESTRICTED_LOCATION:
        return Refusal("451", words, Meaning.RIGHT, ADVICE["451"])
    meaning = MEANINGS.get(code, Meaning.UNKNOWN)
    if code in (REJECTED, FILTER):
        small = words.lower()
        otherwise = Meaning.UNKNOWN if code == REJECTED else Meaning.REFUSED
        meaning = next((meant for part, meant in WORDS if part in small), otherwise)
    return Refusal(code, words, meaning, ADVICE.get(code, ""))


def speaks(document: object) -> bool:
    return isinstance(document, dict | list)


def refusal_in(document: object, status: int) -> Refusal | None:
    """`{"code": -1121, "msg": "…"}`, with whatever status."""
    if not isinstance(document, dict):
        return None
    code = document.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or "msg" not in document:
        return None
    if 200 <= status < 300 and code >= 0:
        return None
    return refusal_of(str(code), optional_text(document, "msg") or "", status)
