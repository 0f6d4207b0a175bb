"""Whether a bot works here now, what it saw last of each account, and how its last starts went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.diagnostics.accounts import FACTS, Account
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.diagnostics.overview import Overview, read_overview
from bot.diagnostics.store_reading import BotState, NoStore, describe_age, now, read_store
from bot.domain.errors import ConfigurationError
from bot.domain.health import HealthState
from bot.settings import Settings
from bot.storage import boots, instance_lease

_NEVER = BotState(False, "", None, None, "NIJA has not run here yet")
_STARTS_LOOKED_AT = 10
# An account that starts may take so long, with many others beside it.
_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Running:
    """What the store says; nothing is asked of the bot itself."""

    state: BotState = _NEVER
    accounts: Sequence[Account] = ()
    findings: Sequence[Finding] = field(default_factory=tuple)

    def owns_keys(self, mode: str) -> bool:
        """Whether a bot of this mode uses the keys now: two programs on one key spoil each other's nonces."""
        return self.state.running and self.state.mode == mode


def examine_running(settings: Settings) -> Running:
    try:
        overview = read_overview(settings)
        starts = list(_starts(settings))
    except (NoStore, ConfigurationError) as error:
        return Running(findings=[note("RUN-01", str(error))])
    return Running(overview.state, overview.accounts, [_state(overview), *starts])


def _state(overview: Overview) -> Finding:
    state = overview.state
    if state.running:
        return ok("RUN-01", overview.sentence)
    if "not been heard of" in state.sentence:
        return bad(
            "RUN-01", state.sentence, "look at the end of nija.log; if it hangs, stop that process and start NIJA"
        )
    return note("RUN-01", state.sentence)


def _starts(settings: Settings) -> Iterator[Finding]:
    with read_store(settings) as connection:
        holder, moment = instance_lease.holder_of(connection), now(settings)
        # The newest may be the one that runs.
        rows = boots.latest_boots(connection, limit=_STARTS_LOOKED_AT + 1)[1:]
        crashed = sum(boots.has_crashed(row) for row in rows)
    if holder is not None and holder.host != instance_lease.this_host() and holder.expires_at > moment:
        yield note("RUN-02", f"another machine works with this database: {holder}")
    if crashed:
        fix = "look in nija.log at the lines before each start"
        yield warn(
            "RUN-03", f"{crashed} of the {len(rows)} starts before the last one crashed before they settled", fix
        )
    elif rows:
        yield ok("RUN-03", f"none of the {len(rows)} starts before the last one crashed")


def last_seen(account: Account) -> Iterator[Finding]:
    """The bot's own six facts of one account, each with its age."""
    facts = account.facts()
    missing = [name for name in FACTS if facts[name] is None]
    ages = ", ".join(f"{name} {account.age_of(at)}" for name, at in facts.items() if at is not None)
    text = f"{account.label}: trades; balance {account.balance_text()}; seen by the bot, each so long ago: {ages}"
    if account.row.health == HealthState.STARTING and account.reader.seen_at - account.row.health_since < _PATIENCE:
        yield note("ACC-11", f"{account.label} is starting: {account.why_not_trading}; run doctor again in a minute")
    elif account.why_not_trading and not account.not_configured:
        lacks = f" (not {', not '.join(missing)})" if missing else ""
        yield bad("ACC-11", f"{account.label} does not trade: {account.why_not_trading}{lacks}", _way_out(account))
    elif account.not_configured:
        yield note("ACC-11", f"{account.label} has no key, and waits")
    else:
        yield ok("ACC-11", text)
    for remark in account.notes:
        yield warn("ACC-11", f"{account.label}: {remark}", _way_out(account))


def _way_out(account: Account) -> str:
    return f"python bot.py why {account.label}; to try its key, stop the bot and run doctor again"


def heard_of(state: BotState, settings: Settings) -> str:
    """When the bot was last heard of, in words."""
    return "" if state.last_seen_at is None else f"{describe_age(now(settings) - state.last_seen_at)} ago"
