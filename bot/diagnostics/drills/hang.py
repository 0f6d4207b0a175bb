"""Every call of one user hangs: are the others' cycles on time, is it shown, and does it heal?"""

from collections.abc import Mapping, Sequence
from statistics import median

from bot.diagnostics.accounts import Account
from bot.diagnostics.drills.copied import buy
from bot.diagnostics.drills.cycles import cycle_intervals
from bot.diagnostics.drills.finding import CutShort
from bot.diagnostics.drills.stage import Stage
from bot.diagnostics.drills.surroundings import CYCLE_SECONDS

WATCH_SECONDS = 6.0
SHOWN_SECONDS = 45.0
HEAL_SECONDS = 60.0
# Beyond its period: the machine's own noise.
LATENESS_SECONDS = 3.0
# Kraken's other accounts may have to wait for one call of his, if private calls go one at a time.
ONE_AT_A_TIME = "global"


def run(stage: Stage) -> None:
    stage.start()
    finding, victim = stage.finding, stage.victim
    symbol = stage.symbol()
    before = _watch(stage)
    match = {"brokerage": str(stage.brokerage), "account": victim.user_id}
    fault = stage.exchange.fault("hang", times=None, match=match)
    finding.tell(f"{finding.name}: every call of {victim.account.label} hangs")
    buy(stage, symbol)
    struck = stage.wait(lambda: stage.exchange.struck([fault]) > 0, SHOWN_SECONDS)
    finding.check(
        f"the calls of {victim.user_id} hang",
        struck is not None,
        f"{stage.exchange.struck([fault])} so far",
        seconds=struck,
    )
    during = _watch(stage)
    _judge_others(stage, before, during)
    _judge_copies(stage, symbol)
    _judge_victim(stage, fault)


def _judge_copies(stage: Stage, symbol: str) -> None:
    """What the others copied while his calls hung."""
    witness = stage.witness()
    others = [user.user_id for user in stage.users if user is not stage.victim]
    orders = {name: len(witness.orders(name, "buy", symbol)) for name in others}
    answers = {user["user_id"]: user["status"] for signal in stage.signals(symbol) for user in signal["users"]}
    open_ones = [name for name in others if answers.get(name, "planned") == "planned"]
    stage.finding.check(
        "the other users have their answer to the master's trade meanwhile",
        not open_ones and all(count <= 1 for count in orders.values()),
        "; ".join(f"{name} {answers.get(name, 'no answer')}, {count} orders" for name, count in orders.items())
        or "there are no others",
    )


def _watch(stage: Stage) -> Mapping[str, Sequence[float]]:
    def accounts() -> Sequence[Account]:
        overview = stage.overview()
        return [] if overview is None else overview.accounts

    return cycle_intervals(accounts, stage.clock, WATCH_SECONDS)


def _judge_others(stage: Stage, before: Mapping[str, Sequence[float]], during: Mapping[str, Sequence[float]]) -> None:
    """Only those that had cycles before count; one that has none any more is late."""
    victim = stage.victim.account.label
    allowed = {label: _allowed(stage, label) for label in before if label != victim}
    late = {label: max(during.get(label, [WATCH_SECONDS])) for label in allowed}
    late = {label: longest for label, longest in late.items() if longest > allowed[label]}
    figures = [each for label in allowed for each in during.get(label, ())]
    calm = [each for label in allowed for each in before[label]]
    said = "; ".join(f"{label} {longest:.1f} s, {allowed[label]:.1f} s are allowed" for label, longest in late.items())
    if not figures or not calm:
        raise CutShort("no other account has cycles that could be timed")
    longest = f"the others' cycles came after at most {max(figures):.1f} s, before {max(calm):.1f} s"
    stage.finding.check(
        f"the cycles of the {len(allowed)} other accounts are on time",
        not late,
        said or f"{longest} (median {median(figures):.2f} s and {median(calm):.2f} s)",
        seconds=max(figures),
        headline=longest,
    )


def _allowed(stage: Stage, label: str) -> float:
    kraken = stage.settings.kraken
    shared = str(stage.brokerage) == "kraken" and label.rpartition("_")[2] == "kraken"
    hold = kraken.private_call_hold_seconds if shared and kraken.private_call_lock == ONE_AT_A_TIME else 0.0
    return CYCLE_SECONDS + LATENESS_SECONDS + float(hold)


def _judge_victim(stage: Stage, fault: int) -> None:
    finding, label = stage.finding, stage.victim.account.label

    def reason() -> str:
        account = stage.account(label)
        return account.why_not_trading if account is not None else ""

    took = stage.wait(reason, SHOWN_SECONDS)
    finding.check(f"{label} is shown as hindered", took is not None, reason() or "it is shown as trading", seconds=took)
    stage.exchange.clear_faults([fault])
    healed = stage.wait(lambda: not reason(), HEAL_SECONDS)
    finding.check(
        f"{label} heals by itself once its calls are answered",
        healed is not None,
        reason() or "it trades again",
        seconds=healed,
    )
