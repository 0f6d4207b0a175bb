"""The names of credential variables, and what is said about a name that is almost one of them."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.domain.account import AccountRef, BrokerType

# A variable that begins like this was meant for us.
OUR_PREFIXES = (*(f"{broker.value.upper()}_" for broker in BrokerType), "NIJA_")
NEAREST_CUTOFF = 0.6
# Without our prefix only a slip of a letter or two is taken for ours.
MISSPELLED_CUTOFF = 0.9
SHORTEST_MISSPELLED = 8


@dataclass(frozen=True)
class Candidate:
    """One name that may hold a field. `shared_with`: the users a first name could mean, if more than one."""

    variable: str
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnknownVariable:
    """A variable that looks like ours but that nothing reads. `nearest` is the known name it resembles most."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f"did you mean {self.nearest}?" if self.nearest else "no configured account or setting has this name"
        return f"{self.name} is set but nothing reads it: {hint}"


PASSPHRASE = "API_PASSPHRASE"


def fields_of(broker: BrokerType) -> tuple[str, ...]:
    """The endings of a brokerage's variables, the key first."""
    return ("API_KEY", "API_SECRET", *((PASSPHRASE,) if broker is BrokerType.OKX or not broker.is_named else ()))


def may_be_missing(broker: BrokerType, field: str) -> bool:
    """Exchanges that are opened by name: whether one has a pass phrase, its adapter says when it is opened."""
    return field == PASSPHRASE and not broker.is_named


def candidates_of(account: AccountRef, field: str, user_ids: Collection[str]) -> tuple[Candidate, ...]:
    """All names for one field of an account, the canonical one first."""
    broker = account.broker.value.upper()
    if account.user_id is None:
        return (Candidate(f"{broker}_MASTER_{field}"), Candidate(f"{broker}_{field}"))
    full, first = _full_name(account.user_id), _first_word(account.user_id)
    candidates = [Candidate(f"{broker}_USER_{full}_{field}", _shared(full, account.user_id, user_ids, full=True))]
    if first != full and not any(_full_name(other) == first for other in user_ids):
        candidates.append(
            Candidate(f"{broker}_USER_{first}_{field}", _shared(first, account.user_id, user_ids, full=False))
        )
    return tuple(candidates)


def variables_of(account: AccountRef, user_ids: Collection[str]) -> tuple[str, ...]:
    """Every variable that is looked at for this account."""
    return tuple(
        candidate.variable
        for field in fields_of(account.broker)
        for candidate in candidates_of(account, field, user_ids)
    )


def unknown_variables(
    environ: Mapping[str, str],
    user_ids: Collection[str],
    other_known_names: Iterable[str] = (),
    brokers: Collection[BrokerType] = tuple(BrokerType),
) -> list[UnknownVariable]:
    """Names in `environ` that were meant for us and that nothing reads, in alphabetical order.

    `other_known_names` are the settings' own variables, `brokers` the five and the exchanges opened by name.
    """
    known = _known_names(user_ids, brokers) | set(other_known_names)
    ours = (*OUR_PREFIXES, *(f"{broker.value.upper()}_" for broker in brokers))
    unknown = (_judge(name, known, ours) for name in sorted(environ) if name not in known)
    return [variable for variable in unknown if variable]


def _judge(name: str, known: set[str], ours: tuple[str, ...]) -> UnknownVariable | None:
    upper = name.upper()
    if upper.startswith(ours):
        nearest = get_close_matches(upper, known, n=1, cutoff=NEAREST_CUTOFF)
        return UnknownVariable(name, nearest[0] if nearest else None)
    if len(upper) < SHORTEST_MISSPELLED:
        return None
    misspelled = get_close_matches(upper, known, n=1, cutoff=MISSPELLED_CUTOFF)
    return UnknownVariable(name, misspelled[0]) if misspelled else None


def _known_names(user_ids: Collection[str], brokers: Collection[BrokerType]) -> set[str]:
    accounts = [AccountRef.master(broker) for broker in brokers]
    accounts += [AccountRef.user(broker, user_id) for broker in brokers for user_id in user_ids]
    return {variable for account in accounts for variable in variables_of(account, user_ids)}


def _shared(name: str, own: str, user_ids: Collection[str], *, full: bool) -> tuple[str, ...]:
    """The users that this name could mean, when it is not `own` alone (`a-b` and `a_b` share even the full name)."""
    meaning = _full_name if full else _first_word
    users = {own, *(user_id for user_id in user_ids if meaning(user_id) == name)}
    return tuple(sorted(users)) if len(users) > 1 else ()


def _full_name(user_id: str) -> str:
    return user_id.upper().replace("-", "_")


def _first_word(user_id: str) -> str:
    return re.split(r"[_-]", user_id, maxsplit=1)[0].upper()
