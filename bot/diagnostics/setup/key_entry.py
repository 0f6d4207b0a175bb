"""Typing the keys of the accounts: each is looked at as it is typed, and then the brokerage is asked."""

from collections.abc import Collection, Mapping, Sequence

from bot.brokers.credential_names import candidates_of, fields_of, variables_of
from bot.brokers.credentials import Credentials, MissingCredentials, find_credentials
from bot.diagnostics.setup.dialogue import Dialogue
from bot.diagnostics.setup.key_rights import ADVICE
from bot.diagnostics.setup.tried_key import TryKey
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError

_WORDS = {"API_KEY": "API key (Enter = skip this account)", "API_SECRET": "secret", "API_PASSPHRASE": "pass phrase"}
_AGAIN = ("again", "skip", "keep")


class KeyEntry:
    """Collects the variables of `.env` for the accounts. `environ` is what is there already, `.env` included.

    `try_key` None = no brokerage is asked.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        user_ids: Collection[str],
        environ: Mapping[str, str],
        try_key: TryKey | None,
    ) -> None:
        self._dialogue = dialogue
        self._user_ids = user_ids
        self._environ = dict(environ)
        self._try_key = try_key
        self._owners: dict[tuple[str, str], AccountRef] = {}
        self._explained: set[BrokerType] = set()
        self.variables: dict[str, str] = {}

    def ask(self, accounts: Sequence[AccountRef]) -> None:
        """The keys of all these accounts, one after the other."""
        for account in accounts:
            self._ask_one(account)

    def _ask_one(self, account: AccountRef) -> None:
        self._explain(account.broker)
        self._dialogue.say(f"{account.label}:")
        if self._keeps_what_is_there(account):
            return
        credentials = self._typed_until_good(account)
        if credentials is None:
            self._dialogue.say("  skipped; it waits until it has a key")
        else:
            self._take(account, credentials)

    def _typed_until_good(self, account: AccountRef) -> Credentials | None:
        """A key that will do, or that is kept although it does not; None = skipped."""
        while typed := self._typed(account):
            credentials = self._of_good_form(account, typed)
            if credentials is not None and self._proves_itself(account, credentials):
                return credentials
            choices = _AGAIN if credentials is not None else _AGAIN[:2]
            answer = self._dialogue.choose("  Type it again, skip this account, or keep it", choices, default="again")
            if answer != "again":
                return credentials if answer == "keep" else None
        return None

    def _explain(self, broker: BrokerType) -> None:
        if broker in self._explained or broker not in ADVICE:
            return
        self._explained.add(broker)
        self._dialogue.say("")
        self._dialogue.say(f"A key of {broker.proper_name}, one for each account:")
        for line in ADVICE[broker].lines():
            self._dialogue.say(f"  {line}")

    def _keeps_what_is_there(self, account: AccountRef) -> bool:
        """A second run finds the keys of the first."""
        try:
            found = find_credentials(account, self._user_ids, self._environ)
        except ConfigurationError as error:
            self._say_all(error.problems)
            return False
        if isinstance(found, MissingCredentials):
            return False
        if not self._proves_itself(account, found):
            return self._dialogue.choose("  keep it or type another", ("keep", "type"), default="type") == "keep"
        kept = self._dialogue.agrees(f"  a key ending {found.masked_key} is there; keep it", default=True)
        if kept:
            self._owners[account.broker, found.fingerprint] = account
        return kept

    def _typed(self, account: AccountRef) -> dict[str, str]:
        """By variable, the canonical names; nothing when the key was left empty."""
        typed: dict[str, str] = {}
        for field in fields_of(account.broker):
            variable = candidates_of(account, field, self._user_ids)[0].variable
            typed[variable] = self._dialogue.secret(f"  {_WORDS[field]}")
            if field == "API_KEY" and not typed[variable]:
                return {}
        return typed

    def _of_good_form(self, account: AccountRef, typed: Mapping[str, str]) -> Credentials | None:
        try:
            found = find_credentials(account, self._user_ids, typed)
        except ConfigurationError as error:
            self._say_all(error.problems)
            return None
        if isinstance(found, MissingCredentials):
            self._say_all([f"{account.label} has no key: {found}"])
            return None
        self._say_all(found.warnings)
        return found

    def _proves_itself(self, account: AccountRef, credentials: Credentials) -> bool:
        owner = self._owners.get((account.broker, credentials.fingerprint), account)
        if owner != account:
            self._say_all([f"this is the key of {owner.label}; each account needs a key of its own"])
            return False
        if self._try_key is None:
            return True
        self._dialogue.say(f"  asking {account.broker.proper_name} …")
        tried = self._try_key(account, credentials)
        self._say_all([tried.problem] if tried.problem else [f"good: {tried.proof}", *tried.doubts])
        return not tried.problem

    def _take(self, account: AccountRef, credentials: Credentials) -> None:
        self._owners[account.broker, credentials.fingerprint] = account
        self.variables |= variables_with(account, self._user_ids, credentials, self._environ)

    def _say_all(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            self._dialogue.say(f"  {sentence}")


def variables_with(
    account: AccountRef, user_ids: Collection[str], credentials: Credentials, there: Mapping[str, str]
) -> dict[str, str]:
    """The variables of an account, repaired as its form check left them. Names in use are kept.

    Every name of it that is set already gets the new value: two names with different values would stop the account.
    """
    phrase = credentials.api_passphrase
    values = {
        "API_KEY": credentials.api_key,
        "API_SECRET": credentials.api_secret.get_secret_value(),
        "API_PASSPHRASE": "" if phrase is None else phrase.get_secret_value(),
    }
    known = variables_of(account, user_ids)
    found: dict[str, str] = {}
    for field in fields_of(account.broker):
        names = [each.variable for each in candidates_of(account, field, user_ids) if not each.shared_with]
        used = [name for name in names if name in known and there.get(name, "").strip()]
        found |= dict.fromkeys(used or names[:1], values[field])
    return found
