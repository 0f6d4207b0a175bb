"""Who could follow an entry of a master, who could not and why, and what all their orders are against the book.

Pure: the copies are planned elsewhere, by the rules of any copy; here they are counted and judged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.domain.money import percent_to_fraction, plain
from bot.settings.model import CopyingSettings
from bot.storage.copies import PlannedCopy

_ZERO = Decimal(0)


class CapacityMode(StrEnum):
    """What a preview is for: `off` none is made; `preview` it is written down; `cap` and `refuse` act on it."""

    OFF = "off"
    PREVIEW = "preview"
    CAP = "cap"
    REFUSE = "refuse"


class CapacityOutcome(StrEnum):
    """What became of the master's entry. The values are stored."""

    ALLOWED = "allowed"
    CAPPED = "capped"
    REFUSED = "refused"


@dataclass(frozen=True)
class CapacityVerdict:
    """`quantity` (base units) is what the master may buy: as asked, less, or nothing; `sentence` says why."""

    outcome: CapacityOutcome
    quantity: Decimal
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """`flow_notional` is the master's order and all copies of it, `depth_notional` what the book has within the bound
    of a copy's price, both in quote units; None = the depth is not known. `unable` counts users by reason."""

    followers: int
    able: int
    unable: Mapping[str, int]
    flow_notional: Decimal
    depth_notional: Decimal | None
    verdict: CapacityVerdict


@dataclass(frozen=True, kw_only=True)
class CapacityRules:
    """Of the section `copying`. Without a bound in `max_flow_percent_of_depth` or users at all, nothing is refused."""

    mode: CapacityMode = CapacityMode.PREVIEW
    max_flow_percent_of_depth: Decimal = Decimal(25)
    min_able_percent: Decimal = Decimal(50)


def capacity_rules(copying: CopyingSettings) -> CapacityRules:
    """What the section `copying` says."""
    return CapacityRules(
        mode=CapacityMode(copying.capacity),
        max_flow_percent_of_depth=copying.max_flow_percent_of_depth,
        min_able_percent=copying.min_able_percent,
    )


def allowed(_desk: object, _symbol: str, quantity: Decimal, _price: Decimal) -> CapacityVerdict:
    """Where nobody looks at who could follow."""
    return CapacityVerdict(CapacityOutcome.ALLOWED, quantity)


def preview(
    copies: Sequence[PlannedCopy],
    *,
    quantity: Decimal,
    price: Decimal,
    depth_notional: Decimal | None,
    rules: CapacityRules,
) -> Capacity:
    """Count the planned copies of a master's entry of `quantity` at `price`, and judge them by `rules`.

    A copy that would have been sent has a client order id; any other has its reason.
    """
    able = [copy for copy in copies if copy.client_order_id is not None]
    unable = Counter(str(copy.reason) for copy in copies if copy.client_order_id is None)
    followed = sum((copy.planned_quantity or _ZERO for copy in able), _ZERO)
    flow = (quantity + followed) * price
    return Capacity(
        followers=len(copies),
        able=len(able),
        unable=dict(unable.most_common()),
        flow_notional=flow,
        depth_notional=depth_notional,
        verdict=_verdict(len(copies), len(able), unable, flow, depth_notional, quantity, rules),
    )


def flow_bound(depth_notional: Decimal | None, rules: CapacityRules) -> Decimal | None:
    """The largest flow by the rules, in quote units; None = nobody knows the depth."""
    if depth_notional is None:
        return None
    return depth_notional * percent_to_fraction(rules.max_flow_percent_of_depth)


def _verdict(
    followers: int,
    able: int,
    unable: Mapping[str, int],
    flow: Decimal,
    depth: Decimal | None,
    quantity: Decimal,
    rules: CapacityRules,
) -> CapacityVerdict:
    bound = flow_bound(depth, rules)
    too_much = "" if bound is None or flow <= bound else _too_much(flow, bound, rules)
    if rules.mode is CapacityMode.REFUSE:
        why = _too_few(followers, able, unable, rules) or too_much
        if why:
            return CapacityVerdict(CapacityOutcome.REFUSED, _ZERO, why)
    if rules.mode is CapacityMode.CAP and too_much:
        # How much less is found out by planning a smaller entry; this says that it has to be.
        return CapacityVerdict(CapacityOutcome.REFUSED, _ZERO, too_much)
    return CapacityVerdict(CapacityOutcome.ALLOWED, quantity, too_much)


def _too_much(flow: Decimal, bound: Decimal, rules: CapacityRules) -> str:
    share = plain(rules.max_flow_percent_of_depth)
    return f"master and users together would buy for {flow:.2f}; {share} % of the book's depth is {bound:.2f}"


def _too_few(followers: int, able: int, unable: Mapping[str, int], rules: CapacityRules) -> str:
    if not followers or Decimal(able) * 100 >= rules.min_able_percent * followers:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in unable.items())
    least = plain(rules.min_able_percent)
    return f"only {able} of {followers} users could follow, {least} % must be able to ({reasons})"
