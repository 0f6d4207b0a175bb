"""Halts, limits, phases of an account, one instance"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _add_columns()
    _add_process_tables()
    _add_halts()
    _add_limits()


def _add_columns() -> None:
    op.add_column("account", sa.Column("venue_identity", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("identity_pinned_at", UtcTime(), nullable=True))
    op.add_column("account", sa.Column("identity_word", sa.Text(), nullable=False, server_default=""))
    for name, empty in (("phase", ""), ("proofs_json", "{}"), ("warning", "")):
        op.add_column("account_state", sa.Column(name, sa.Text(), nullable=False, server_default=empty))
    for name in ("old_phase", "new_phase"):
        op.add_column("health_transition", sa.Column(name, sa.Text(), nullable=False, server_default=""))


def _account_id() -> sa.Column[str]:
    return sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False)


def _add_process_tables() -> None:
    op.create_table(
        "instance_lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("acquired_at", UtcTime(), nullable=False),
        sa.Column("renewed_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "venue_state",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("breaker", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("stopped_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("broker"),
    )


def _add_halts() -> None:
    op.create_table(
        "halt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("strength", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("set_at", UtcTime(), nullable=False),
        sa.Column("lift_code", sa.Text(), nullable=True),
        sa.Column("lift_asked_by", sa.Text(), nullable=True),
        sa.Column("lift_asked_at", UtcTime(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.Column("lifted_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("halt_in_force", "halt", ["lifted_at"], unique=False)
    op.create_table(
        "flatten_result",
        sa.Column("halt_id", sa.Integer(), sa.ForeignKey("halt.id"), nullable=False),
        _account_id(),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cancelled_orders", sa.Integer(), nullable=False),
        sa.Column("sold_quantity", Amount(), nullable=False),
        sa.Column("left_quantity", Amount(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("halt_id", "account_id", "symbol"),
    )


def _add_limits() -> None:
    op.create_table(
        "veto",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        _account_id(),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("numbers_json", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=True),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("veto_by_account", "veto", ["account_id", "at"], unique=False)
    op.create_table(
        "risk_mark",
        _account_id(),
        sa.Column("quote_currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("day_start_profit", Amount(), nullable=False),
        sa.Column("peak_profit", Amount(), nullable=False),
        sa.Column("profit", Amount(), nullable=True),
        sa.Column("day_start_equity", Amount(), nullable=True),
        sa.Column("peak_equity", Amount(), nullable=True),
        sa.Column("marked_at", UtcTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
    )
