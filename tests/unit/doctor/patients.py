"""Installations with something wrong, one for each code of doctor's: what the code is triggered by."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot.brokers.capabilities import UNSTATED, PrivateStream
from bot.brokers.http_session import HttpReply
from bot.brokers.key_report import KeyReport
from bot.diagnostics.doctor.account_look import AccountLook, Means
from bot.diagnostics.doctor.board import Board
from bot.diagnostics.doctor.configuration import examine_configuration, settings_for
from bot.diagnostics.doctor.finding import Finding, Level
from bot.diagnostics.doctor.key_findings import identity, refused, shared_accounts
from bot.diagnostics.doctor.program import examine_program
from bot.diagnostics.doctor.running import examine_running, last_seen
from bot.diagnostics.doctor.smallest_orders import SmallestOrders, examine_means
from bot.diagnostics.doctor.state_directory import examine_state
from bot.diagnostics.doctor.variables import examine_variables
from bot.diagnostics.doctor.venue_look import VenuePlace, proxies, rate_limits, refusal_of, skew
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, KeyUnfit
from bot.settings import Settings, load_settings
from bot.storage.backups import DIRECTORY
from bot.storage.boots import begin_boot
from bot.storage.identities import Pin
from bot.storage.place import DATABASE_FILE
from tests.memory_broker import MemoryBroker, TestClock
from tests.stored_bot import CONFIGURATION, DAIVON, KRAKEN, USERS, StoredBot, write_configuration

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# As the venue issues them: 56 and 88 characters of base64.
KEY = "Nf83kTqP" * 7
SECRET = "Zk9x" * 21 + "Zg=="
PLACE = VenuePlace(BrokerType.KRAKEN, "https://api.kraken.com")
IDENTITY = KeyReport(said_by="the test", identity="account 7", names_account=True)
MASTER = "KRAKEN_MASTER_API_KEY"


@dataclass(frozen=True)
class Patient:
    """`wrong` triggers the code at a level; `well` (if it can be well) triggers it as in order."""

    level: Level
    wrong: Callable[[Path], Iterable[Finding]]
    well: Callable[[Path], Iterable[Finding]] | None = None


def settings_at(directory: Path, *, masters: str = CONFIGURATION, users: str = USERS, **environ: str) -> Settings:
    config = write_configuration(directory, masters=masters, users=users)
    return load_settings(environ={"STATE_DIR": str(directory / "state"), **environ}, config_dir=config)


# -- program and configuration ----------------------------------------------------------------------------------------
def _program(directory: Path, *, python: tuple[int, ...] = (3, 11, 4), version: str | None = "2.31") -> list[Finding]:
    requirements = directory / "requirements.txt"
    requirements.write_text("# what is needed\nrequests>=2.32,<3  # over HTTP\n")
    return list(examine_program(requirements, python=python, version_of=lambda _name: version))


def _unreadable(directory: Path) -> list[Finding]:
    config = write_configuration(directory, masters="masters: [{broker: kraken}]\nmetrics_prot: 1\nlog_level: LOUD\n")
    return _loaded({"NIJA_CONFIG_DIR": str(config)}, live=False)


def _with_exchange(directory: Path) -> list[Finding]:
    config = write_configuration(directory)
    return _loaded({"NIJA_CONFIG_DIR": str(config), "PAPER_EXCHANGE_CONTROL": "http://127.0.0.1:9"}, live=True)


def _loaded(environ: Mapping[str, str], *, live: bool) -> list[Finding]:
    """In an environment of its own, which is put back."""
    kept = {name: os.environ.get(name) for name in environ}
    os.environ.update(environ)
    try:
        return settings_for(live=live)[1]
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _configured(directory: Path, *, masters: str = CONFIGURATION, mode: int = 0o600) -> list[Finding]:
    dotenv = directory / ".env"
    dotenv.write_text("")
    dotenv.chmod(mode)
    return list(examine_configuration(settings_at(directory, masters=masters), dotenv, asked_for_live=False))


# -- keys -------------------------------------------------------------------------------------------------------------
def _keys(
    *, live: bool = True, accounts: Collection[AccountRef] = (KRAKEN,), **environ: str
) -> Callable[[Path], Iterable[Finding]]:
    user_ids = {account.user_id for account in accounts if account.user_id} | {"daivon_frazier", "daivon_smith"}

    def look(_directory: Path) -> Iterable[Finding]:
        found = examine_variables([*accounts], user_ids, environ, tuple(BrokerType), live=live)
        assert not any(KEY in finding.text or SECRET in finding.text for finding in found.findings)
        return found.findings

    return look


_GOOD = {MASTER: KEY, "KRAKEN_MASTER_API_SECRET": SECRET}
_OTHER = {"KRAKEN_USER_DAIVON_FRAZIER_API_KEY": KEY, "KRAKEN_USER_DAIVON_FRAZIER_API_SECRET": SECRET}


# -- state ------------------------------------------------------------------------------------------------------------
def _state(directory: Path, *, free_bytes: int = 10**10, **environ: str) -> list[Finding]:
    settings = settings_at(directory)
    return list(examine_state(settings, environ, datetime.now(UTC), free_on=lambda _path: free_bytes))


def _no_directory(directory: Path) -> list[Finding]:
    (directory / "state").write_text("a file where the directory should be")
    return _state(directory)


def _thrown_away(directory: Path) -> list[Finding]:
    return _state(directory, DYNO="web.1")


def _in_sight(directory: Path) -> list[Finding]:
    state = directory / "state"
    state.mkdir(mode=0o755)
    (state / "kraken_nonce_master.txt").write_text("1")
    (state / "kraken_nonce_master.txt").chmod(0o644)
    return _state(directory)


def _of_live(directory: Path) -> list[Finding]:
    (directory / "state").mkdir()
    with StoredBot(directory / "state") as bot:
        bot.runs(mode="live")
        bot.store.write(lambda connection: _set_mode(connection, "live"))
    return _state(directory)


def _set_mode(connection: object, mode: str) -> None:
    from bot.storage.process import set_meta

    set_meta(connection, "mode", mode)  # type: ignore[arg-type]


def _kept(directory: Path) -> StoredBot:
    (directory / "state").mkdir()
    return StoredBot(directory / "state")


def _damaged(directory: Path) -> list[Finding]:
    _kept(directory).close()
    database = directory / "state" / DATABASE_FILE
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 30] = b"\x99" * (4096 * 27)
    database.write_bytes(content)
    return _state(directory)


def _whole(directory: Path) -> list[Finding]:
    _kept(directory).close()
    return _state(directory)


def _old_copy(directory: Path, *, days: int = 30) -> list[Finding]:
    _kept(directory).close()
    copies = directory / "state" / DIRECTORY
    copies.mkdir(mode=0o700)
    copy = copies / "nija-0011-20260101T000000.000000Z.db"
    copy.write_bytes(b"")
    moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(copy, (moment, moment))
    return _state(directory)


# -- what runs --------------------------------------------------------------------------------------------------------
def _running(directory: Path, *, heartbeat_ago: float = 0.0) -> list[Finding]:
    with _kept(directory) as bot:
        bot.runs(heartbeat_ago=heartbeat_ago)
        bot.accounts()
    return [*examine_running(settings_at(directory)).findings]


def _crashed(directory: Path) -> list[Finding]:
    with _kept(directory) as bot:
        for minutes in (3, 2, 1):
            at = datetime.now(UTC) - timedelta(minutes=minutes)
            bot.store.write(lambda c, at=at: begin_boot(c, build="x", configuration="y", now=at))
    return [*examine_running(settings_at(directory)).findings]


def _seen(directory: Path, **changes: object) -> list[Finding]:
    with _kept(directory) as bot:
        bot.runs()
        bot.accounts()
        bot.account(KRAKEN, **changes)
    running = examine_running(settings_at(directory))
    (kraken,) = (account for account in running.accounts if account.label == "kraken")
    return [*last_seen(kraken)]


# -- venues -----------------------------------------------------------------------------------------------------------
def _refusal(status: int, body: bytes) -> Callable[[Path], Iterable[Finding]]:
    def look(_directory: Path) -> Iterable[Finding]:
        found = refusal_of(PLACE, HttpReply(status, body), needs_key=False)
        return [found] if found else []

    return look


def _skew(seconds: float) -> Callable[[Path], Iterable[Finding]]:
    return lambda _directory: [skew("Kraken", timedelta(seconds=seconds), resolution_seconds=1.0)]


def _silent(_directory: Path) -> Iterable[Finding]:
    board = Board()
    board.open("kraken", "its time")
    board.open("okx")
    board.stop(27.0)
    kraken, okx = board.sections()
    assert not okx.findings
    return kraken.findings


# -- accounts ---------------------------------------------------------------------------------------------------------
class Streaming(MemoryBroker):
    """A broker with a private socket that is live, or never is, and a report of its key."""

    capabilities = replace(UNSTATED, private_stream=PrivateStream.ACCOUNT)
    live = True
    withdraw_rights: tuple[str, ...] = ()
    unbound = ""
    hindrance = ""

    @property
    def entry_hindrance(self) -> str:
        return self.hindrance

    def connect(self) -> bool:
        self.key_report = replace(IDENTITY, withdraw_rights=self.withdraw_rights, unbound=self.unbound)
        return super().connect()

    def tend_stream(self):  # type: ignore[no-untyped-def]
        from bot.brokers.stream_news import StreamNews

        return StreamNews(up=self.live)


def look_at(directory: Path, change: Callable[[Streaming], None] = lambda _broker: None) -> list[Finding]:
    clock = TestClock()
    broker = Streaming(KRAKEN, clock)
    change(broker)
    return list(AccountLook(broker, settings_at(directory), clock, lambda _doing: None).examine())


def _account(**changes: object) -> Callable[[Path], Iterable[Finding]]:
    def change(broker: Streaming) -> None:
        for name, value in changes.items():
            setattr(broker, name, value)

    return lambda directory: look_at(directory, change)


def _refused(error: Exception) -> Callable[[Path], Iterable[Finding]]:
    return lambda _directory: [refused(KRAKEN, error)]  # type: ignore[arg-type]


def _opens_another(_directory: Path) -> Iterable[Finding]:
    two = {KRAKEN: IDENTITY, DAIVON: IDENTITY}
    assert [finding.code for finding in shared_accounts(two)] == ["ACC-04"]
    return [identity(KRAKEN, IDENTITY, Pin("account 8", NOW))]


def means(directory: Path, *, master: str = "10000", user: str = "1000", least: str = "1") -> list[Finding]:
    owned = {
        KRAKEN: Means(KRAKEN, Decimal(master), Decimal(master)),
        DAIVON: Means(DAIVON, Decimal(user), Decimal(user)),
    }
    orders = SmallestOrders("USD", {"BTC/USD": Decimal(least), "ETH/USD": Decimal(least) + 4})
    return list(examine_means(owned, orders, settings_at(directory)))


def _not_tried(_directory: Path) -> Iterable[Finding]:
    from tests.unit.doctor.test_asking import asked_while_another_holds_the_key

    return asked_while_another_holds_the_key()


PATIENTS: Mapping[str, Patient] = {
    "PRG-01": Patient(Level.BAD, lambda d: _program(d, python=(3, 9, 1)), _program),
    "PRG-02": Patient(Level.NOTE, _program),
    "PRG-03": Patient(Level.WARN, _program, lambda d: _program(d, version="2.32.5")),
    "CFG-01": Patient(Level.BAD, _unreadable, _configured),
    "CFG-02": Patient(Level.NOTE, _configured),
    "CFG-03": Patient(Level.WARN, lambda d: _configured(d, masters="masters: [{broker: coinbase}]\n")),
    "CFG-04": Patient(Level.WARN, lambda d: _configured(d, mode=0o644), _configured),
    "CFG-05": Patient(Level.NOTE, _with_exchange),
    "KEY-01": Patient(Level.OK, _keys(**_GOOD)),
    "KEY-02": Patient(Level.WARN, _keys()),
    "KEY-03": Patient(Level.WARN, _keys(**{MASTER: " \u200b", "KRAKEN_MASTER_API_SECRET": ""})),
    "KEY-04": Patient(Level.BAD, _keys(**_GOOD | {"KRAKEN_MASTER_API_SECRET": SECRET[:40]})),
    "KEY-05": Patient(Level.WARN, _keys(**_GOOD | {MASTER: f'"{KEY}"'})),
    "KEY-06": Patient(Level.BAD, _keys(accounts=[KRAKEN, DAIVON], **_GOOD, **_OTHER)),
    "KEY-07": Patient(
        Level.BAD,
        _keys(accounts=[DAIVON], KRAKEN_USER_DAIVON_API_KEY=KEY, KRAKEN_USER_DAIVON_API_SECRET=SECRET),
    ),
    "KEY-08": Patient(Level.WARN, _keys(KRAKEN_MSTER_API_KEY=KEY)),
    "KEY-09": Patient(Level.BAD, _keys(**{MASTER: KEY})),
    "KEY-10": Patient(Level.BAD, _keys()),
    "STA-01": Patient(Level.BAD, _no_directory, _state),
    "STA-02": Patient(Level.BAD, _thrown_away, _state),
    "STA-03": Patient(Level.WARN, _in_sight, _whole),
    "STA-04": Patient(Level.BAD, lambda d: _state(d, free_bytes=10**7), _state),
    "STA-05": Patient(Level.BAD, _of_live, _whole),
    "STA-06": Patient(Level.BAD, _damaged, _whole),
    "STA-07": Patient(Level.WARN, _old_copy, lambda d: _old_copy(d, days=1)),
    "RUN-01": Patient(Level.BAD, lambda d: _running(d, heartbeat_ago=3600), _running),
    "RUN-03": Patient(Level.WARN, _crashed),
    "NET-01": Patient(Level.WARN, lambda _: proxies(["https_proxy", "HOME"])),
    "VEN-01": Patient(Level.BAD, _refusal(503, b"<html><body>Service Unavailable</body></html>")),
    "VEN-03": Patient(Level.BAD, _refusal(451, b'{"code":0,"msg":"restricted location"}')),
    "VEN-04": Patient(Level.BAD, _skew(-120.0), _skew(0.9)),
    "VEN-06": Patient(Level.NOTE, lambda d: [rate_limits(PLACE, settings_at(d))]),
    "VEN-07": Patient(Level.BAD, _silent),
    "ACC-01": Patient(Level.BAD, _refused(CredentialsRejected("EAPI:Invalid key")), _account()),
    "ACC-02": Patient(Level.BAD, _refused(KeyUnfit("the API key lacks the right to modify-trades")), _account()),
    "ACC-03": Patient(Level.BAD, _account(withdraw_rights=("withdraw-funds",)), _account()),
    "ACC-04": Patient(Level.BAD, _opens_another, _account()),
    "ACC-05": Patient(Level.BAD, _account(hindrance="flagged as a pattern day trader"), _account()),
    "ACC-06": Patient(Level.BAD, _account(cash=Decimal(3)), _account()),
    "ACC-07": Patient(Level.BAD, _account(listed={}), _account()),
    "ACC-08": Patient(Level.BAD, _account(open_orders_error="EService:Busy"), _account()),
    "ACC-09": Patient(Level.WARN, _account(live=False), _account()),
    "ACC-10": Patient(Level.BAD, lambda d: means(d, user="0.5"), means),
    "ACC-11": Patient(Level.BAD, lambda d: _seen(d, health="failed", health_reason="a wrong key"), _seen),
    "ACC-12": Patient(Level.WARN, _not_tried),
    "ACC-13": Patient(Level.WARN, _account(unbound="deleted after 14 days")),
}
