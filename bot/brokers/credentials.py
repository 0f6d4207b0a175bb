"""From the environment to one account's credentials: `<BROKER>_MASTER_API_KEY`, `<BROKER>_USER_<NAME>_API_KEY`, …

Pure functions over a mapping. A value is never part of a message, of a `repr` or of a log line: only its variable is.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from bot.brokers.credential_names import Candidate, candidates_of, fields_of, may_be_missing
from bot.brokers.credential_shapes import passphrase_defects, passphrase_doubts, shape_of
from bot.brokers.pasted_text import Repaired, is_blank, repaired
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What opens one account. `variables` says where it was read; `warnings` has a sentence for each repair.

    `api_passphrase` is OKX's, which its owner chose when the key was made, or what another exchange has of the kind.
    """

    api_key: str = field(repr=False)
    api_secret: SecretStr = field(repr=False)
    api_passphrase: SecretStr | None = field(default=None, repr=False)
    variables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """16 hex characters that tell two keys apart and say nothing about either."""
        return hashlib.sha256(b"nija key|" + self.api_key.encode()).hexdigest()[:16]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text of it that no log may show."""
        phrase = () if self.api_passphrase is None else (self.api_passphrase.get_secret_value(),)
        return (self.api_key, self.api_secret.get_secret_value(), *phrase)

    @property
    def masked_key(self) -> str:
        """The end of the key, enough for its owner to know it by."""
        return masked(self.api_key)


@dataclass(frozen=True)
class MissingCredentials:
    """Nothing is set for this account: a quiet state, not an error. `blank` variables exist without a value."""

    variables: tuple[str, ...]
    blank: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"set {' and '.join(self.variables)}"
        return f"{text} ({' and '.join(self.blank)} exists but is blank)" if self.blank else text


@dataclass(frozen=True)
class _Found:
    variable: str
    value: str = field(repr=False)
    warnings: tuple[str, ...] = ()


def masked(text: str) -> str:
    """`****` and the last four characters; short texts show nothing of themselves."""
    return f"****{text[-4:]}" if len(text) >= 16 else "****"


def find_credentials(
    account: AccountRef, user_ids: Collection[str], environ: Mapping[str, str]
) -> Credentials | MissingCredentials:
    """The credentials of `account`; `user_ids` are all configured users (a first name must mean one of them only).

    Raises `ConfigurationError` naming the variable and its defect: half a pair, two names with different values, a
    first name that could be two users, a placeholder, a shape that the venue never issues.
    """
    problems: list[str] = []
    found: dict[str, _Found] = {}
    missing: dict[str, str] = {}
    blank: list[str] = []
    for name in fields_of(account.broker):
        candidates = candidates_of(account, name, user_ids)
        blank += [c.variable for c in candidates if c.variable in environ and is_blank(environ[c.variable])]
        value = _guarded(problems, lambda c=candidates: _one_value(c, environ))  # type: ignore[misc]
        if value is None:
            if not may_be_missing(account.broker, name):
                missing[name] = candidates[0].variable
        else:
            found[name] = value
    if not problems and not found:
        return MissingCredentials(tuple(missing.values()), tuple(blank))
    if not problems:
        problems += [_half_a_pair(variable, found, blank) for variable in missing.values()]
    if problems:
        raise ConfigurationError(*problems)
    return _checked(account, found)


def duplicate_keys(credentials: Mapping[AccountRef, Credentials]) -> tuple[tuple[AccountRef, ...], ...]:
    """Groups of accounts of one brokerage that share an API key: their nonces would clash, a copy would copy itself."""
    groups: dict[tuple[str, str], list[AccountRef]] = {}
    for account, found in credentials.items():
        groups.setdefault((account.broker, found.fingerprint), []).append(account)
    return tuple(tuple(accounts) for accounts in groups.values() if len(accounts) > 1)


def _guarded(problems: list[str], read: Callable[[], _Found | None]) -> _Found | None:
    try:
        return read()
    except ConfigurationError as error:
        problems += error.problems
        return None


def _one_value(candidates: tuple[Candidate, ...], environ: Mapping[str, str]) -> _Found | None:
    """The value that all set names agree on, or None. An ambiguous first name counts only if no full name is set."""
    values = [
        (candidate, repaired(candidate.variable, environ[candidate.variable]))
        for candidate in candidates
        if not candidate.shared_with and not is_blank(environ.get(candidate.variable, ""))
    ]
    if not values:
        _refuse_ambiguous(candidates, environ)
        return None
    first, value = values[0]
    for other, other_value in values[1:]:
        if other_value.text != value.text:
            raise ConfigurationError(
                f"{first.variable} and {other.variable} name the same thing and have different values; keep one"
            )
    return _Found(first.variable, value.text, _warnings(values))


def _warnings(values: list[tuple[Candidate, Repaired]]) -> tuple[str, ...]:
    return tuple(warning for _, value in values for warning in value.warnings)


def _refuse_ambiguous(candidates: tuple[Candidate, ...], environ: Mapping[str, str]) -> None:
    for candidate in candidates:
        if candidate.shared_with and not is_blank(environ.get(candidate.variable, "")):
            raise ConfigurationError(
                f"{candidate.variable} could mean {' or '.join(candidate.shared_with)}; use {candidates[0].variable}"
            )


def _half_a_pair(variable: str, found: Mapping[str, _Found], blank: list[str]) -> str:
    others = " and ".join(item.variable for item in found.values())
    all_of_them = "both" if len(found) == 1 and not variable.endswith("PASSPHRASE") else "all of them"
    return f"{others} is set but {variable} is {'blank' if variable in blank else 'missing'}; {all_of_them} are needed"


def _checked(account: AccountRef, found: Mapping[str, _Found]) -> Credentials:
    """The venue's own shapes; what is repaired there (a pasted PEM) adds its warnings."""
    shape = shape_of(account.broker)
    key, secret, phrase = found["API_KEY"], found["API_SECRET"], found.get("API_PASSPHRASE")
    problems, checked = shape(key.variable, key.value, secret.variable, secret.value)
    doubts: tuple[str, ...] = ()
    if phrase is not None:
        problems = [*problems, *passphrase_defects(phrase.variable, phrase.value, key.value, secret.value)]
        doubts = passphrase_doubts(phrase.variable, phrase.value) if account.broker.is_named else ()
    if checked is None or problems:
        raise ConfigurationError(*problems)
    return Credentials(
        api_key=checked.api_key,
        api_secret=SecretStr(checked.api_secret),
        api_passphrase=None if phrase is None else SecretStr(phrase.value),
        variables=tuple(item.variable for item in found.values()),
        warnings=(*(warning for item in found.values() for warning in item.warnings), *checked.warnings, *doubts),
    )
