"""Nonces: somebody else has used the key with higher ones, and then the bot's own record of them is lost."""

from bot.diagnostics.drills.copied import all_answered, buy, sell_all
from bot.diagnostics.drills.stage import Stage
from bot.domain.order import Side

AHEAD_SECONDS = 20.0
RECOVERY_SECONDS = 60.0
# An account that keeps asking with nonces that are too low is locked out by Kraken.
MOST_REFUSED = 5
RECORDS = "kraken_nonce_*"


def run(stage: Stage) -> None:
    stage.start()
    symbol = stage.symbol()
    victim = stage.victim.account
    since = stage.exchange.seq()
    stage.hand_of(victim, ahead_seconds=AHEAD_SECONDS)
    stage.finding.tell(f"{stage.finding.name}: {victim.user_id}'s key was used with a nonce {AHEAD_SECONDS:g} s ahead")
    _recovers(stage, since, f"after somebody else used the key with a nonce {AHEAD_SECONDS:g} s ahead")
    _others_unaffected(stage, since)
    buy(stage, symbol)
    all_answered(stage, symbol, 1, "with the key that was used elsewhere")
    _copied(stage, symbol)
    _lose_records(stage)
    sell_all(stage, symbol)


def _recovers(stage: Stage, since: int, when: str) -> None:
    """A step: the account is answered again, and has not asked again and again on the way."""
    name = stage.victim.user_id

    def answered() -> bool:
        # Not before it has met the higher nonce: what it asked earlier proves nothing.
        account = stage.account(stage.victim.account.label)
        refused = stage.witness(since).nonce_refusals(name)
        return refused > 0 and account is not None and not account.why_not_trading and _last_is_fine(stage, since)

    took = stage.wait(answered, RECOVERY_SECONDS)
    refused = stage.witness(since).nonce_refusals(name)
    stage.finding.check(
        f"{name} is answered again {when}, without a burst of refused calls",
        took is not None and refused <= MOST_REFUSED,
        f"{refused} calls refused, at most {MOST_REFUSED} are allowed"
        + ("" if took is not None else "; not answered yet"),
        seconds=took,
        headline=f"{refused} calls refused" + (f", answered again after {took:.1f} s" if took is not None else ""),
    )


def _last_is_fine(stage: Stage, since: int) -> bool:
    """Whether the account's newest nonce was taken."""
    witness, name = stage.witness(since), stage.victim.user_id
    refused = max((line["seq"] for line in witness.of("refuse", name) if line["nonce"]), default=0)
    asked = max((line["seq"] for line in witness.of("request", name) if line["nonce"]), default=0)
    return bool(asked > refused)


def _others_unaffected(stage: Stage, since: int) -> None:
    names = ["master", *(user.user_id for user in stage.users if user is not stage.victim)]
    witness = stage.witness(since)
    refused = {name: witness.nonce_refusals(name) for name in names}
    stage.finding.check(
        "nobody else's nonces are refused",
        not any(refused.values()),
        ", ".join(f"{name} {count}" for name, count in refused.items()),
    )


def _copied(stage: Stage, symbol: str) -> None:
    orders = stage.witness().orders(stage.victim.user_id, str(Side.BUY), symbol)
    stage.finding.check("and copies once", len(orders) == 1, f"{len(orders)} orders at the exchange")


def _lose_records(stage: Stage) -> None:
    stage.stop()
    lost = sorted(stage.state_dir.glob(RECORDS))
    for path in lost:
        path.unlink()
    since = stage.exchange.seq()
    began = stage.clock.monotonic()
    stage.start()
    refused = stage.witness(since).nonce_refusals()
    stage.finding.check(
        "with every record of nonces lost, all accounts trade again without a burst of refused calls",
        bool(lost) and refused <= MOST_REFUSED,
        f"{len(lost)} files removed, {refused} calls refused",
        seconds=stage.clock.monotonic() - began,
    )
