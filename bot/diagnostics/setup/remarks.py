"""What an operator should know of a configuration that loads and yet does not do all that it seems to."""

from collections.abc import Iterator, Mapping

from bot.brokers.credentials import MissingCredentials, find_credentials
from bot.diagnostics.setup.wanted import Wanted
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.notifications.ways import find_ways
from bot.seams.clock import SystemClock
from bot.settings import Settings


def remarks(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each. `environ` has the keys, and those that are about to be written."""
    running = {master.broker for master in settings.masters if master.enabled}
    idle = [user for user in settings.users if user.enabled and user.broker not in running]
    if idle:
        where = ", ".join(sorted({str(user.broker) for user in idle}))
        yield f"users at {where} copy nobody: the master there does not run. --switch-off-idle leaves them out"
    if not any(user.broker in running and user.enabled for user in settings.users):
        yield "no user copies yet; python bot.py init-user adds one"
    yield from find_ways(settings.notifications, environ, SystemClock()).problems
    if settings.trading_mode == "live":
        yield from _without_key(settings, environ)


def _without_key(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    ids = [user.user_id for user in settings.users]
    accounts = [AccountRef.master(master.broker) for master in settings.masters if master.enabled]
    accounts += [user.account for user in settings.users if user.enabled and not user.shadow]
    for account in accounts:
        try:
            found = find_credentials(account, ids, environ)
        except ConfigurationError as error:
            yield from (f"{account.label}: {problem}" for problem in error.problems)
            continue
        if isinstance(found, MissingCredentials):
            yield f"{account.label} waits for a key: {found}"


def summary(wanted: Wanted, settings: Settings) -> Iterator[str]:
    """What the files that follow come to, in a line each. `settings` are those that will be."""
    running = [str(master.broker) for master in settings.masters if master.enabled]
    still = [str(master.broker) for master in settings.masters if not master.enabled]
    yield f"Money: {settings.trading_mode}. Masters that run: {', '.join(running) or 'none'}" + (
        f"; that do not: {', '.join(still)}." if still else "."
    )
    if wanted.users:
        yield f"New users: {', '.join(user.account.label for user in wanted.users)}."
    if wanted.leaving:
        yield f"Switched off: {', '.join(user.account.label for user in wanted.leaving)}."
