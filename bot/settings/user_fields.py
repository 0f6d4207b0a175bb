"""One object of a user file: its keys, their JSON types and their values (mission A5, C5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, get_args

from pydantic import ValidationError

from bot.domain.account import BrokerType
from bot.domain.errors import NumberRefused
from bot.domain.leaving import WhenDisabled
from bot.domain.money import parse_decimal
from bot.settings.json_positions import JsonNode, JsonValue
from bot.settings.users import CopySettings, UserSettings

AccountClass = Literal["retail", "investor"]
ACCOUNT_TYPES: tuple[AccountClass, ...] = get_args(AccountClass)
REQUIRED = ("user_id", "name", "account_type", "broker_type")
# Someone of this name would be taken for the master's account.
RESERVED_USER_IDS = frozenset({"master"})
MAX_NAME_CHARACTERS = 100
MAX_DESCRIPTION_CHARACTERS = 1_000
# Characters that change the direction of text could make a log line or a table say something else.
_DIRECTION_MARKS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_TEXT, _FLAG, _NUMBER, _NUMBER_OR_NULL, _TEXTS = (
    "a text in double quotes",
    "true or false, without quotes",
    "a number",
    "a number or null",
    'a list of texts such as ["BTC/USD"]',
)
_KINDS: Mapping[str, str] = {
    "user_id": _TEXT,
    "name": _TEXT,
    "account_type": _TEXT,
    "broker_type": _TEXT,
    "enabled": _FLAG,
    "when_disabled": _TEXT,
    "copy_on_join": _TEXT,
    "description": _TEXT,
    "shadow": _FLAG,
    "paper_balance": _NUMBER,
    "copy_mode": _TEXT,
    "risk_multiplier": _NUMBER,
    "fixed_amount_usd": _NUMBER_OR_NULL,
    "fixed_ratio": _NUMBER_OR_NULL,
    "max_trade_notional_usd": _NUMBER_OR_NULL,
    "max_symbol_notional_usd": _NUMBER_OR_NULL,
    "max_total_notional_usd": _NUMBER_OR_NULL,
    "allow_symbols": _TEXTS,
    "deny_symbols": _TEXTS,
    "below_minimum": _TEXT,
    "round_up_max_factor": _NUMBER,
    "accumulate_hours": _NUMBER,
}
# What the product's description knows and this version cannot do yet.
_NOT_YET: Mapping[str, frozenset[str]] = {
    "copy_on_join": frozenset({"open_positions"}),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "account_type": ACCOUNT_TYPES,
    "broker_type": tuple(BrokerType),
    "copy_mode": ("balance_ratio", "equity_ratio", "fixed_amount", "fixed_ratio"),
    "below_minimum": ("skip", "round_up", "accumulate"),
    "when_disabled": tuple(WhenDisabled),
    "copy_on_join": ("new_entries",),
}
_COPY_KEYS = frozenset(CopySettings.model_fields)


@dataclass(frozen=True)
class FileKind:
    """What the name of a file says about all users in it."""

    account_type: AccountClass
    broker: BrokerType


@dataclass(frozen=True)
class Defect:
    """A sentence that names the field, and the line it stands on."""

    text: str
    line: int


def read_user(node: JsonNode, kind: FileKind, source_file: str) -> tuple[UserSettings | None, list[Defect]]:
    """A user, or None and what is wrong with it."""
    if not isinstance(node.value, dict):
        return None, [Defect(f"a user must be an object {{…}}, not {_shown(node.value)}", node.line)]
    members = node.value
    defects = [Defect(f"{key} is missing from this user", node.line) for key in REQUIRED if key not in members]
    for key, member in members.items():
        sentence = _defect_of(key, member.value, kind)
        if sentence:
            defects.append(Defect(sentence, member.line))
    if not defects:
        defects = _contradictions(members, kind)
    return (None, defects) if defects else _validated(members, source_file)


def _defect_of(key: str, value: JsonValue, kind: FileKind) -> str | None:
    if key not in _KINDS:
        return _unknown_key(key)
    if not _is_kind(value, _KINDS[key]):
        return f"{key} must be {_KINDS[key]}, not {_shown(value)}"
    if key == "user_id" and value in RESERVED_USER_IDS:
        return f"user_id {value!a} is reserved; choose another"
    if isinstance(value, str) and key in _CHOICES and (key, value) != ("broker_type", kind.broker):
        return _choice_defect(key, value)
    if isinstance(value, str) and key in ("name", "description"):
        return _prose_defect(key, value, MAX_NAME_CHARACTERS if key == "name" else MAX_DESCRIPTION_CHARACTERS)
    return None


def _unknown_key(key: str) -> str:
    nearest = get_close_matches(key, _KINDS, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(_KINDS)}"
    return f"{key[:40]!a} is not a key of a user; {hint}"


def _is_kind(value: JsonValue, kind: str) -> bool:
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(item.value, str) for item in value)
    if kind == _NUMBER_OR_NULL and value is None:
        return True
    if kind in (_NUMBER, _NUMBER_OR_NULL):
        return isinstance(value, Decimal) or (isinstance(value, str) and _is_number(value))
    return isinstance(value, bool if kind == _FLAG else str)


def _is_number(text: str) -> bool:
    """Amounts may be written as text, as they are on the wire."""
    try:
        parse_decimal(text, field="")
    except NumberRefused:
        return False
    return True


def _choice_defect(key: str, value: str) -> str | None:
    choices = _CHOICES[key]
    if value in choices:
        return None
    if value in _NOT_YET.get(key, ()):
        return f"{key} {value} is not supported in this version; use {' or '.join(choices)}"
    return f"{key} must be {' or '.join(choices)}, not {_shown(value)}"


def _prose_defect(key: str, value: str, longest: int) -> str | None:
    if len(value) > longest:
        return f"{key} has {len(value)} characters; at most {longest} are allowed"
    if key == "name" and not value.strip():
        return "name must not be empty"
    if any(_is_unprintable(character) for character in value):
        return f"{key} has a character that cannot be shown (a control character or text direction mark)"
    return None


def _is_unprintable(character: str) -> bool:
    return (
        character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029" or character in _DIRECTION_MARKS
    )


def _contradictions(members: Mapping[str, JsonNode], kind: FileKind) -> list[Defect]:
    """What each field alone allows, but not together with another or with the file's name."""
    defects = []
    for key, said_by_name in (("account_type", kind.account_type), ("broker_type", kind.broker)):
        if members[key].value != said_by_name:
            text = (
                f"{key} is {members[key].value}, but the file's name says {said_by_name}; move the user or correct it"
            )
            defects.append(Defect(text, members[key].line))
    mode = members.get("copy_mode")
    for key, its_mode in (("fixed_amount_usd", "fixed_amount"), ("fixed_ratio", "fixed_ratio")):
        if mode and mode.value != its_mode and key in members and members[key].value is not None:
            text = f"{key} is set, but copy_mode is {mode.value}; remove it or set copy_mode to {its_mode}"
            defects.append(Defect(text, members[key].line))
    below = members.get("below_minimum")
    for key, its_choice in (("round_up_max_factor", "round_up"), ("accumulate_hours", "accumulate")):
        if below and below.value != its_choice and key in members:
            text = f"{key} is set, but below_minimum is {below.value}; remove it or set below_minimum to {its_choice}"
            defects.append(Defect(text, members[key].line))
    return defects + _allowed_and_denied(members)


def _allowed_and_denied(members: Mapping[str, JsonNode]) -> list[Defect]:
    allowed, denied = (
        _texts(members[key].value) if key in members else () for key in ("allow_symbols", "deny_symbols")
    )
    return [
        Defect(f"deny_symbols has {symbol[:40]!a}, which is in allow_symbols too", members["deny_symbols"].line)
        for symbol in denied
        if symbol in allowed
    ]


def _validated(members: Mapping[str, JsonNode], source_file: str) -> tuple[UserSettings | None, list[Defect]]:
    values = {key: _plain(member.value) for key, member in members.items()}
    copy_rules = {key: values.pop(key) for key in _COPY_KEYS & values.keys()}
    values["broker"] = values.pop("broker_type")
    try:
        return UserSettings.model_validate({**values, "copy_rules": copy_rules, "source_file": source_file}), []
    except ValidationError as error:
        return None, [_defect_from(item, members) for item in error.errors(include_url=False, include_input=False)]


def _defect_from(item: Mapping[str, object], members: Mapping[str, JsonNode]) -> Defect:
    location = item["loc"]
    assert isinstance(location, tuple)
    key = next(str(part) for part in location if part in members)
    found = _shown(members[key].value)
    if key == "user_id":
        text = "must begin with a letter or digit and have up to 32 lower-case letters, digits, _ and -"
        return Defect(f"user_id {text}, not {found}", members[key].line)
    reason = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return Defect(f"{key} {reason}" + ("" if ", not " in reason else f", not {found}"), members[key].line)


def _plain(value: JsonValue) -> object:
    return _texts(value) if isinstance(value, list) else value


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(item.value) for item in value) if isinstance(value, list) else ()


def _shown(value: JsonValue) -> str:
    """What was found, short and safe for a terminal."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    text = ascii(value) if isinstance(value, str) else format(value, "f") if abs(value.adjusted()) < 20 else str(value)
    return text if len(text) <= 42 else f"{text[:40]}…"
