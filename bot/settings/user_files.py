"""Users come from `config/users/<class>_<broker>.json`, each an array of users of one class at one brokerage.

A user file decides whose money moves, so it is read strictly: whatever is not understood stops the start, with file,
line and field.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings.json_positions import JsonNode, JsonRefused, read_json
from bot.settings.user_fields import ACCOUNT_TYPES, FileKind, read_user
from bot.settings.users import UserSettings

MAX_BYTES = 10_000_000
MAX_USERS_PER_FILE = 1_000


def file_kinds(brokers: Iterable[BrokerType]) -> Mapping[str, FileKind]:
    """What users each name of a file promises."""
    return {
        f"{account_type}_{broker}.json": FileKind(account_type, broker)
        for account_type in ACCOUNT_TYPES
        for broker in brokers
    }


@dataclass(frozen=True)
class _Placed:
    """A user and where it was written (`config/users/retail_kraken.json:3`)."""

    user: UserSettings
    place: str


def read_user_files(directory: Path, brokers: Iterable[BrokerType] = BrokerType) -> tuple[UserSettings, ...]:
    """All users of all files, by file name and then in the files' order. No directory means no users.

    A user's copy rules hold only what its file sets (`model_fields_set`). Raises `ConfigurationError` with a sentence
    for everything that is wrong in any file.
    """
    problems: list[str] = []
    placed: list[_Placed] = []
    kinds = file_kinds(brokers)
    for path in _files_in(directory, kinds, problems):
        placed += _users_of(path, kinds[path.name], problems)
    problems += _said_twice(placed)
    problems += _same_variables(placed)
    if problems:
        raise ConfigurationError(*problems)
    return tuple(item.user for item in placed)


def _files_in(directory: Path, kinds: Mapping[str, FileKind], problems: list[str]) -> list[Path]:
    try:
        entries = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{directory.parent.name}/{directory.name} cannot be read: {error.strerror}")
        return []
    files = [entry for entry in entries if entry.name in kinds]
    strays = [entry for entry in entries if entry.name not in kinds and _meant_as_user_file(entry.name)]
    brokers = list(dict.fromkeys(str(kind.broker) for kind in kinds.values()))
    problems += [_stray_sentence(stray, brokers) for stray in strays]
    return files


def _meant_as_user_file(name: str) -> bool:
    """Ignoring `retail_kraken.JSON` would make its users vanish without a word. Backups (`….json.bak`) are ignored."""
    return name.lower().endswith((".json", ".json.txt")) and not name.startswith(".")


def _stray_sentence(path: Path, brokers: Sequence[str]) -> str:
    return (
        f"{_shown(path)} is not a name of a user file: it must be <class>_<brokerage>.json in lower case, with class "
        f"{' or '.join(ACCOUNT_TYPES)} and brokerage one of {', '.join(brokers)}; rename it or move it away"
    )


def _users_of(path: Path, kind: FileKind, problems: list[str]) -> list[_Placed]:
    """The readable users of one file; what is wrong goes to `problems`."""
    shown = _shown(path)
    try:
        document = read_json(_text_of(path, shown))
    except ConfigurationError as error:
        problems += error.problems
        return []
    except JsonRefused as error:
        problems.append(f"{shown}:{error.line}: {error}")
        return []
    problems += [
        f"{shown}:{again.line}: {again.key!a} is already set on line {again.first_line}; keep one of them"
        for again in document.repeated_keys
    ]
    return _users_in(document.root, kind, shown, problems)


def _users_in(root: JsonNode, kind: FileKind, shown: str, problems: list[str]) -> list[_Placed]:
    if not isinstance(root.value, list):
        problems.append(f"{shown}:{root.line}: the file must be a list of users: [ {{…}}, {{…}} ]")
        return []
    if len(root.value) > MAX_USERS_PER_FILE:
        problems.append(f"{shown} has {len(root.value)} users; at most {MAX_USERS_PER_FILE} are read from one file")
        return []
    placed = []
    for node in root.value:
        user, defects = read_user(node, kind, shown)
        problems += [f"{shown}:{defect.line}: {defect.text}" for defect in defects]
        if user is not None:
            placed.append(_Placed(user, f"{shown}:{node.line}"))
    return placed


def _said_twice(placed: list[_Placed]) -> list[str]:
    """One user has one account at a brokerage, whichever files say so."""
    first: dict[tuple[str, BrokerType], str] = {}
    problems = []
    for item in placed:
        key = (item.user.user_id, item.user.broker)
        if key in first:
            problems.append(
                f"{item.place}: user {key[0]} at {key[1]} is already described at {first[key]}; keep one of them"
            )
        first.setdefault(key, item.place)
    return problems


def _same_variables(placed: list[_Placed]) -> list[str]:
    """`ann-lee` and `ann_lee` would both be ANN_LEE in the names of their credentials' variables."""
    owners: dict[str, _Placed] = {}
    problems = []
    for item in placed:
        name = item.user.user_id.upper().replace("-", "_")
        owner = owners.setdefault(name, item)
        if owner.user.user_id != item.user.user_id:
            problems.append(
                f"{item.place}: user_id {item.user.user_id} and {owner.user.user_id} ({owner.place}) would share the "
                f"credentials named {name}; change one of them"
            )
    return problems


# -- bytes and text ------------------------------------------------------------------------------------------------
def _text_of(path: Path, shown: str) -> str:
    """The file's text. Raises `ConfigurationError` for what is not a regular file of UTF-8 text of moderate size."""
    content = _bytes_of(path, shown)
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{shown} is larger than {MAX_BYTES // 1_000_000} MB, so it is no user file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(f"{shown}:1: the file is UTF-16; save it as UTF-8")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise ConfigurationError(f"{shown}:{line}: there is a NUL byte in it (UTF-16, perhaps); save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{shown}:{line}: byte {error.start + 1} is not UTF-8; save it as UTF-8") from None


def _bytes_of(path: Path, shown: str) -> bytes:
    """Not through a link (it could lead anywhere) and without waiting for a FIFO's writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _refuse_unreadable(error, shown)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigurationError(f"{shown} is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse_unreadable(error, shown)
    finally:
        os.close(descriptor)


def _refuse_unreadable(error: OSError, shown: str) -> NoReturn:
    if error.errno == errno.ELOOP:
        raise ConfigurationError(f"{shown} is a symbolic link; put the file itself there") from None
    if error.errno == errno.ENXIO:
        raise ConfigurationError(f"{shown} is not a regular file") from None
    raise ConfigurationError(f"{shown} cannot be read: {error.strerror}") from None


def _shown(path: Path) -> str:
    """`config/users/retail_kraken.json`: enough to find it, whatever the directory above. Odd characters escaped."""
    return ascii("/".join((path.parent.parent.name, path.parent.name, path.name)).lstrip("/"))[1:-1]
