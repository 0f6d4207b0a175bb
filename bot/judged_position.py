"""A position in one cycle: what was decided about it, and what became of that."""

from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.decision import ExitStatus
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.exit_records import rules_of
from bot.storage.exit_states import ExitState
from bot.strategies.exits import ExitDecision


@dataclass
class JudgedPosition:
    """`rule` is the name of what sells it (empty = it is kept), `order_id` the order that came of that."""

    position: Position
    quote: Quote
    decision: ExitDecision
    status: ExitStatus
    rule: str = ""
    reason: str = ""
    faults: list[str] = field(default_factory=list)
    order_id: str | None = None

    @property
    def symbol(self) -> str:
        return self.position.symbol

    def wait(self, why: str, *, status: ExitStatus = ExitStatus.WAITING) -> None:
        """It should be sold, and is not yet."""
        self.status, self.reason = status, f"{self.reason}; {why}"

    def state(self, *, at: datetime, cycle: int) -> ExitState:
        """As it is written down."""
        return ExitState(
            account_id=self.position.account_id,
            symbol=self.symbol,
            at=at,
            cycle=cycle,
            status=self.status,
            reason=self.reason,
            rule=self.rule,
            bid=self.quote.bid,
            rules=rules_of(self.decision),
            faults="; ".join(self.faults),
        )
