"""The variables that hold keys: each seen, missing, blank, malformed, repaired, or meant for somebody else.

Of a key its last three characters are shown, of a secret nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.brokers.credential_names import fields_of, unknown_variables, variables_of
from bot.brokers.credentials import Credentials, MissingCredentials, duplicate_keys, find_credentials
from bot.brokers.pasted_text import is_blank
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.environment import ALREADY_TRIED
from bot.settings.env_source import KNOWN_VARIABLES, PREFIX

_SHOWN = 3
_LONG_ENOUGH = 12
_ENV = "in .env"


@dataclass(frozen=True)
class Keys:
    """What was found for each account, and what is to be said of it."""

    found: Mapping[AccountRef, Credentials]
    findings: Sequence[Finding]

    @property
    def secrets(self) -> list[str]:
        return [secret for credentials in self.found.values() for secret in credentials.secrets]


def examine_variables(
    accounts: Sequence[AccountRef],
    user_ids: Collection[str],
    environ: Mapping[str, str],
    brokers: Collection[BrokerType],
    *,
    live: bool,
    known: Collection[str] = KNOWN_VARIABLES,
) -> Keys:
    """In paper mode an account without a key is as it should be, and is not mentioned."""
    found: dict[AccountRef, Credentials] = {}
    missing: dict[AccountRef, MissingCredentials] = {}
    findings: list[Finding] = []
    for account in accounts:
        try:
            credentials = find_credentials(account, user_ids, environ)
        except ConfigurationError as error:
            findings += [_defect(account, problem) for problem in error.problems]
            continue
        if isinstance(credentials, Credentials):
            found[account] = credentials
            findings += _seen(account, credentials)
        else:
            missing[account] = credentials
            findings += _blank(account, credentials)
    findings += _absent(missing, {account.broker for account in found}) if live else ()
    findings += _shared(found)
    findings += _unknown(environ, user_ids, {*known, ALREADY_TRIED}, brokers)
    findings += _nobody(accounts, found, live=live)
    return Keys(found, findings or [note("KEY-02", "no key is set, and paper mode needs none")])


def _seen(account: AccountRef, credentials: Credentials) -> Iterator[Finding]:
    others = " and ".join(name.rpartition("_API_")[2].lower() for name in credentials.variables[1:])
    text = f"{credentials.variables[0]} seen ({_end(credentials.api_key)}), with its {others}"
    yield ok("KEY-01", f"{account.label}: {text}")
    for warning in credentials.warnings:
        yield warn(
            "KEY-05",
            f"{account.label}: {warning}",
            "write the value anew without them, so that other programs read it too",
        )


def _end(key: str) -> str:
    return f"…{key[-_SHOWN:]}" if len(key) >= _LONG_ENOUGH else "…"


def _blank(account: AccountRef, missing: MissingCredentials) -> Iterator[Finding]:
    if missing.blank:
        names = " and ".join(missing.blank)
        fix = f"paste the value after the =, or remove the line {_ENV}"
        yield warn("KEY-03", f"{account.label}: {names} exists but is blank", fix)


def _absent(missing: Mapping[AccountRef, MissingCredentials], in_use: Collection[BrokerType]) -> Iterator[Finding]:
    """One line for a brokerage where nobody has a key; elsewhere one for each account."""
    for broker in dict.fromkeys(account.broker for account in missing):
        accounts = [account for account in missing if account.broker is broker]
        if broker in in_use:
            yield from (_no_key(account.label, missing[account]) for account in accounts)
        else:
            besides = f" and {len(accounts) - 1} more accounts" if len(accounts) > 1 else ""
            yield _no_key(f"{accounts[0].label}{besides}", missing[accounts[0]])


def _no_key(who: str, missing: MissingCredentials) -> Finding:
    names = ", ".join(missing.variables)
    return warn("KEY-02", f"{who}: no key; they wait, and the others trade", f"set {names} {_ENV}, or switch it off")


def _defect(account: AccountRef, problem: str) -> Finding:
    """By what the sentence says; the sentences are those of the start."""
    text = f"{account.label}: {problem}"
    if " is set but " in problem:
        return bad("KEY-09", text, f"set what is missing {_ENV}, from the same page on which the other half was shown")
    if " could mean " in problem or "name the same thing" in problem:
        return bad("KEY-07", text, f"keep one name {_ENV}: {_canonical(account)}")
    if " are swapped" in problem or "a Coinbase credential" in problem or "Broker API" in problem:
        return bad("KEY-04", text, f"put each value into its own variable {_ENV}")
    return bad("KEY-04", text, f"copy it again from {account.broker.proper_name} and paste it after the = {_ENV}")


def _canonical(account: AccountRef) -> str:
    owner = account.label.removesuffix(f"_{account.broker}").upper().replace("-", "_")
    who = "MASTER" if account.is_master else f"USER_{owner}"
    return f"{str(account.broker).upper()}_{who}_{fields_of(account.broker)[0]}"


def _shared(found: Mapping[AccountRef, Credentials]) -> Iterator[Finding]:
    for group in duplicate_keys(found):
        names = " and ".join(account.label for account in group)
        fix = f"make a key of its own for each at {group[0].broker.proper_name}; until then the bot does not start"
        yield bad("KEY-06", f"{names} have the same key", fix)


def _unknown(
    environ: Mapping[str, str], user_ids: Collection[str], known: Collection[str], brokers: Collection[BrokerType]
) -> Iterator[Finding]:
    # Names of settings by path were judged when they were read.
    others = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    for variable in unknown_variables(others, user_ids, known, brokers):
        fix = f"rename it to {variable.nearest}" if variable.nearest else "remove it, or add the account it is for"
        blank = " (and is blank)" if is_blank(environ[variable.name]) else ""
        yield warn("KEY-08", f"{variable}{blank}", fix)


def _nobody(
    accounts: Sequence[AccountRef], found: Mapping[AccountRef, Credentials], *, live: bool
) -> Iterator[Finding]:
    if not live or any(account.is_master for account in found):
        return
    master = next((account for account in accounts if account.is_master), None)
    names = f"such as {_canonical(master)}" if master else "after one is switched on"
    yield bad(
        "KEY-10", "no master has a usable key: live mode would not start", f"set the key of a master {_ENV}, {names}"
    )


def all_names(accounts: Sequence[AccountRef], user_ids: Collection[str]) -> list[str]:
    """Every variable that is looked at."""
    return [name for account in accounts for name in variables_of(account, user_ids)]
