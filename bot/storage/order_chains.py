"""Chains of orders: one wish to trade, placed anew at another price after each order that has not filled it."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection, bindparam, select, update

from bot.domain.order import FINAL_STATES, IntentState
from bot.storage.intents import OrderIntent, intent_of
from bot.storage.schema import order_intent

_OF_ACCOUNT = order_intent.c.account_id == bindparam("account_id")
_IN_CHAIN = order_intent.c.chain_id.is_not(None)
_GOES_ON = select(order_intent.c.chain_id).where(_OF_ACCOUNT, _IN_CHAIN, order_intent.c.chain_end.is_(None))
# State by state, because that is what the index is by.
_LIVING = sorted(str(state) for state in IntentState if state not in FINAL_STATES)
_UNFINISHED = select(order_intent.c.chain_id).where(_OF_ACCOUNT, order_intent.c.state.in_(_LIVING), _IN_CHAIN)
_STEPS = (
    select(order_intent)
    .where(order_intent.c.chain_id.in_(bindparam("chains", expanding=True)))
    .order_by(order_intent.c.chain_id, order_intent.c.chain_step)
)
_END = update(order_intent).where(
    order_intent.c.chain_id == bindparam("the_chain"), order_intent.c.chain_end.is_(None)
)  # fmt: skip


def open_chains(connection: Connection, account_id: str) -> Sequence[Sequence[OrderIntent]]:
    """The orders of every chain that goes on or has an order without an end; the chain begun first comes first."""
    keys = {"account_id": account_id}
    names = {*connection.execute(_GOES_ON, keys).scalars(), *connection.execute(_UNFINISHED, keys).scalars()}
    return steps_of(connection, sorted(names)) if names else []


def steps_of(connection: Connection, chain_ids: Sequence[str]) -> Sequence[Sequence[OrderIntent]]:
    """The orders of these chains, each in the order of their placing."""
    rows = [intent_of(row) for row in connection.execute(_STEPS, {"chains": list(chain_ids)})]
    chains = [list(steps) for _, steps in groupby(rows, key=lambda intent: intent.chain_id)]
    return sorted(chains, key=lambda steps: steps[0].created_at)


def end_chain(connection: Connection, chain_id: str, why: str) -> None:
    """Nothing is placed after its last order any more. The first word on it stays."""
    connection.execute(_END, {"the_chain": chain_id, "chain_end": why})
