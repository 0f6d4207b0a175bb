"""Adding a user to a file of `config/users/`; what is there already stays as it was written."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bot.domain.account import AccountRef, BrokerType
from bot.domain.money import plain
from bot.settings.json_positions import JsonRefused, read_json
from bot.settings.user_fields import AccountClass


class UserFileRefused(Exception):
    """A file that no user can be added to; the message says why."""


@dataclass(frozen=True, kw_only=True)
class NewUser:
    """A user who is to be added. `copying` holds what is not as the section `copying` has it, as JSON writes it."""

    user_id: str
    broker: BrokerType
    account_class: AccountClass
    name: str
    paper_balance: Decimal
    copying: Mapping[str, str | Decimal] = field(default_factory=dict)

    @property
    def account(self) -> AccountRef:
        return AccountRef.user(self.broker, self.user_id)

    @property
    def file_name(self) -> str:
        return f"{self.account_class}_{self.broker}.json"


def with_user(text: str, user: NewUser) -> str:
    """The text of a file with the user at its end. Raises `UserFileRefused` for what is no list of users."""
    entry = _entry(user)
    if not text.strip():
        return f"[\n{entry}\n]\n"
    try:
        root = read_json(text).root
    except JsonRefused as error:
        raise UserFileRefused(f"line {error.line}: {error}") from error
    if not isinstance(root.value, list):
        raise UserFileRefused("it is no list of users: [ {…}, {…} ]")
    end = text.rindex("]")
    begin = text[:end].rstrip()
    return f"{begin}{',' if root.value else ''}\n{entry}\n{text[end:]}"


def switched_off(text: str, user_id: str) -> str:
    """The text in which this user has `enabled: false`, and nothing else is different. Raises `UserFileRefused`."""
    before = _users_in(text)
    expected = [each | {"enabled": False} if each.get("user_id") == user_id else each for each in before]
    for changed in _ways_to_switch_off(text, user_id):
        if _users_in(changed) == expected:
            return changed
    raise UserFileRefused(f"{user_id} cannot be switched off in place; write enabled: false there yourself")


def _ways_to_switch_off(text: str, user_id: str) -> Iterator[str]:
    """Wherever it says true, and behind the user's id where it says nothing; which of them is right, reading shows."""
    for found in re.finditer(r'("enabled"\s*:\s*)true\b', text):
        yield f"{text[: found.start()]}{found[1]}false{text[found.end() :]}"
    for found in re.finditer(rf'"user_id"\s*:\s*"{re.escape(user_id)}"', text):
        yield f'{text[: found.end()]}, "enabled": false{text[found.end() :]}'


def _users_in(text: str) -> list[dict[str, object]]:
    try:
        listed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return []
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def line_of_user(path: Path, user_id: str) -> int | None:
    """The line on which a user begins in a file that was read before; None = it is not in it."""
    try:
        root = read_json(path.read_text(encoding="utf-8-sig")).root
    except (OSError, UnicodeDecodeError, JsonRefused):
        return None
    for node in root.value if isinstance(root.value, list) else ():
        if isinstance(node.value, dict) and (found := node.value.get("user_id")) and found.value == user_id:
            return node.line
    return None


def _entry(user: NewUser) -> str:
    members: dict[str, str | Decimal | bool] = {
        "user_id": user.user_id,
        "name": user.name,
        "account_type": user.account_class,
        "broker_type": str(user.broker),
        "enabled": True,
        "when_disabled": "close_only",
        "copy_on_join": "new_entries",
        "description": f"Mirrors the {user.broker.proper_name} master",
        "paper_balance": user.paper_balance,
        **user.copying,
    }
    lines = ",\n".join(f"    {json.dumps(name)}: {_value(value)}" for name, value in members.items())
    return f"  {{\n{lines}\n  }}"


def _value(value: str | Decimal | bool) -> str:
    return plain(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
