"""What is looked at before live trading starts: which accounts have a key, whether two share one, what is misspelt."""

import logging
from collections.abc import Collection, Mapping, Sequence

from bot.brokers.credential_names import unknown_variables
from bot.brokers.credentials import Credentials, MissingCredentials, duplicate_keys, find_credentials
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError

log = logging.getLogger(__name__)


def check_live_keys(accounts: Sequence[AccountRef], user_ids: Collection[str], environ: Mapping[str, str]) -> None:
    """Report repairs and defects by name; raise `ConfigurationError` only if nothing could trade, or a key is shared.

    An account without a key stays configured and waits; that is its own affair and nobody else's.
    """
    found: dict[AccountRef, Credentials] = {}
    said: list[str] = []
    absent: list[str] = []
    for account in accounts:
        try:
            credentials = find_credentials(account, user_ids, environ)
        except ConfigurationError as error:
            said += error.problems
            continue
        if isinstance(credentials, MissingCredentials):
            absent.append(f"{account.label} is not configured: {credentials}")
        else:
            found[account] = credentials
            for warning in credentials.warnings:
                log.warning("%s: %s", account.label, warning)
    shared = [" and ".join(one.label for one in group) for group in duplicate_keys(found)]
    if shared:
        raise ConfigurationError(
            *(f"{names} have the same key; each account needs a key of its own" for names in shared)
        )
    if not any(account.is_master for account in found):
        raise ConfigurationError("TRADING_MODE=live, but no master has a usable key.", *said, *absent)
    for sentence in said:
        log.warning("%s", sentence)
    for sentence in absent:
        log.info("%s", sentence)


def report_unknown_variables(
    environ: Mapping[str, str],
    user_ids: Collection[str],
    known: Collection[str],
    brokers: Collection[BrokerType] = tuple(BrokerType),
) -> None:
    """A variable that looks like ours but is none of ours is named with its nearest neighbour."""
    for variable in unknown_variables(environ, user_ids, known, brokers):
        log.warning("%s", variable)
