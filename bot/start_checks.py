"""What is looked at before anything trades: the state directory, the mode, the keys. All of it can refuse the start."""

import contextlib
import logging
import os
import stat
from pathlib import Path

from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.environment import ALREADY_TRIED
from bot.live_keys import check_live_keys, report_unknown_variables
from bot.observability.logs import LOG_FILE
from bot.roster import Roster
from bot.settings import Settings
from bot.settings.env_source import KNOWN_VARIABLES, PREFIX
from bot.settings.loading import process_environment
from bot.storage import process
from bot.storage.ephemeral import lasts_as_long_as_the_container, throws_away
from bot.storage.place import database_url, describe
from bot.storage.store import Store

log = logging.getLogger(__name__)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What is said of an exchange that is opened by name.
EXPERIMENTAL = "its adapter is ccxt's, which nobody has tried there with this program; see docs/brokers.md"


def make_private_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unusable(path, error) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigurationError(f"STATE_DIR {path} cannot be written to. Name another, or change its owner.")


def shut_out_others(state_dir: Path, dotenv: Path) -> None:
    """Files of the state that others of this machine could read or change (S11): copied there, or of an old version.

    `.env` is its writer's; what is wrong with it is said.
    """
    opened = [path for path in (state_dir, *sorted(state_dir.rglob("*"))) if _others_may(path)]
    for path in opened:
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_OTHERS)
    left = [path for path in opened if _others_may(path)]
    if opened and not left:
        log.warning("Others could read %s and %d more; now they are their owner's alone", opened[0], len(opened) - 1)
    if left:
        log.warning("Others can read %s, and that cannot be changed from here", left[0])
    if _others_may(dotenv):
        log.warning("Others can read %s, and keys may be in it. Make it yours alone: chmod 600 %s", dotenv, dotenv)


def _others_may(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return bool(found.st_mode & _OTHERS) and (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


def unusable(directory: Path, error: OSError) -> ConfigurationError:
    what = error.filename or directory
    return ConfigurationError(
        f"STATE_DIR {directory} cannot be used ({what}: {error.strerror}). Name a directory that can be written to."
    )


def banner(settings: Settings) -> None:
    if settings.trading_mode == "paper":
        log.info("MODE: PAPER - no real money can move; prices are made up, and so is any profit")
    else:
        log.warning("MODE: LIVE - real orders with real money")
    masters = ", ".join(str(master.broker) for master in settings.masters if master.enabled) or "none"
    users = [f"{user.user_id} ({user.broker})" for user in settings.users if user.enabled]
    log.info("Masters: %s. Users: %s", masters, ", ".join(users) or "none")
    if not settings.multi_broker_independent:
        log.warning("MULTI_BROKER_INDEPENDENT=false: only the first funded master trades")
    log.info("State: %s. Log: %s", settings.state_dir, settings.state_dir / LOG_FILE)
    if settings.database_url is not None:
        log.info("Database: %s", describe(database_url(settings)))
    log.info("Stop with Ctrl-C or SIGTERM. In a second terminal try: python3 check_broker_status.py")


def check_disk(settings: Settings) -> None:
    """Orders and positions must outlive a deploy; the operator may say that they need not."""
    directory = settings.state_dir
    platform = throws_away(directory, process_environment())
    if not platform:
        _say_if_a_container(settings)
        return
    if settings.database_url is not None:
        log.warning(
            "%s throws %s away at every restart. Orders and positions are in the database and stay; the log and the "
            "last nonces do not",
            platform,
            directory,
        )
        return
    if not settings.allow_ephemeral:
        raise ConfigurationError(
            f"{platform} throws {directory} away at every restart, and with it every open order and position. "
            "Set STATE_DIR to a mounted volume, or ALLOW_EPHEMERAL=1 to accept that."
        )
    log.warning(
        "ALLOW_EPHEMERAL: %s throws %s away at every restart. Open orders and positions will be forgotten, and the "
        "next run is a first one",
        platform,
        directory,
    )


def _say_if_a_container(settings: Settings) -> None:
    """A paper run may end with its container; what is held for real must be known to the next one."""
    real = settings.trading_mode == "live" and settings.database_url is None
    if real and lasts_as_long_as_the_container(settings.state_dir):
        log.warning(
            "%s is inside the container and is gone with it: a newer image would start as a first run and know no "
            "open order or position. Mount a volume there (docker run -v, or volumes: in a compose file)",
            settings.state_dir,
        )


def check_mode(settings: Settings, store: Store) -> None:
    """One state directory is for one mode: paper positions must never be sold for real."""
    mode = settings.trading_mode
    with store.read() as connection:
        known = process.get_meta(connection, "mode")
    if known not in (None, mode):
        raise ConfigurationError(
            f"{settings.state_dir} holds the state of {known} trading. Give {mode} trading a directory of "
            f"its own, for example STATE_DIR={settings.state_dir}_{mode}"
        )


def _say_what_pegs_are_unknown(settings: Settings) -> None:
    """Kraken's feed tells them; without it no entry is held back for a stablecoin that has lost its peg."""
    masters = {item.broker for item in settings.masters if item.enabled}
    brokers = masters | {user.broker for user in settings.users if user.enabled}
    coins = ({settings.quote_currency_of(broker) for broker in brokers} & settings.currencies_at_par()) - {"USD"}
    told = BrokerType.KRAKEN in brokers and settings.market_watch.enabled
    if coins and not told and settings.risk.max_depeg_percent is not None:
        log.warning(
            "risk.max_depeg_percent: nothing here tells what %s trades for in USD (Kraken's markets do, when they are "
            "watched); no entry is held back by it",
            " and ".join(sorted(coins)),
        )


def check_keys(settings: Settings, store: Store) -> None:
    """Names what is misspelt and what has no key; two accounts with one key, or no master with one, end the start."""
    environ = process_environment()
    user_ids = {user.user_id for user in settings.users}
    # Names of settings by path were judged when they were read.
    others = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    report_unknown_variables(others, user_ids, {*KNOWN_VARIABLES, ALREADY_TRIED}, settings.brokers())
    _say_what_pegs_are_unknown(settings)
    for name in sorted(settings.exchanges):
        log.warning("%s (ccxt's %s) is experimental: %s", name, settings.exchanges[name].ccxt_id, EXPERIMENTAL)
    if settings.trading_mode == "live":
        masters = [AccountRef.master(item.broker) for item in settings.masters if item.enabled]
        # Who left and is not done is connected too.
        users = [follower.account for follower in Roster(store, settings.users).followers]
        check_live_keys([*masters, *users], user_ids, environ)
