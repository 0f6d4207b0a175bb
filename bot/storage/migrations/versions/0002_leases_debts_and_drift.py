"""Order of making, leases, exit debts, drift"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _add_sequence("signal", "signal_id")
    _add_sequence("order_intent", "client_order_id")
    _add_columns()
    _add_tables()


def _add_sequence(table: str, key: str) -> None:
    """Number what is there in the order it was made, as far as its times say."""
    op.add_column(table, sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        f"UPDATE {table} SET sequence = (SELECT count(*) FROM {table} AS other WHERE other.created_at < "
        f"{table}.created_at OR (other.created_at = {table}.created_at AND other.{key} <= {table}.{key}))"
    )
    op.create_index(f"{table}_by_sequence", table, ["sequence"], unique=True)


def _add_columns() -> None:
    for name, kind in (
        ("payload_sha256", sa.Text()),
        ("expires_at", UtcTime()),
        ("epoch", sa.Integer()),
        ("cancel_requested_at", UtcTime()),
        ("resolved_at", UtcTime()),
    ):
        op.add_column("order_intent", sa.Column(name, kind, nullable=True))
    op.add_column("order_intent", sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"))
    for name in ("needs_person", "resolution", "resolved_by"):
        op.add_column("order_intent", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_index("order_intent_by_signal", "order_intent", ["account_id", "signal_id"], unique=False)
    op.add_column("position", sa.Column("owed_quantity", Amount(), nullable=False, server_default="0"))
    op.add_column("copy_result", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("copy_result", sa.Column("last_error", sa.Text(), nullable=False, server_default=""))
    op.add_column("copy_result", sa.Column("last_try_at", UtcTime(), nullable=True))
    op.add_column("account_state", sa.Column("hydrated_at", UtcTime(), nullable=True))
    op.add_column("account_state", sa.Column("reconciled_at", UtcTime(), nullable=True))


def _account_id() -> sa.Column[str]:
    return sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False)


def _add_tables() -> None:
    op.create_table(
        "lease",
        _account_id(),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("renewed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.Integer(), nullable=False),
        _account_id(),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, server_default="all"),
        sa.Column("from_sequence", sa.Integer(), nullable=False),
        sa.Column("to_sequence", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("membership_by_account", "membership", ["account_id", "to_sequence"], unique=False)
    op.create_table(
        "drift",
        _account_id(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_seen_at", UtcTime(), nullable=False),
        sa.Column("last_seen_at", UtcTime(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("cleared_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "kind", "subject"),
    )
    op.create_table(
        "dust",
        sa.Column("id", sa.Integer(), nullable=False),
        _account_id(),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("average_entry_price", Amount(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dust_by_account", "dust", ["account_id", "symbol"], unique=False)
    op.create_table(
        "symbol_pause",
        _account_id(),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "symbol"),
    )
