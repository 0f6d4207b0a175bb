"""The console: what was asked for, favourites, alerts"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import UtcTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _create_control_request()
    _create_favourite()
    _create_alert()


def _create_control_request() -> None:
    op.create_table(
        "control_request",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("details_json", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("result_json", sa.Text(), nullable=False),
    )
    op.create_index("control_request_by_nonce", "control_request", ["nonce"], unique=True)
    op.create_index("control_request_by_state", "control_request", ["state"])


def _create_favourite() -> None:
    op.create_table(
        "favourite",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "symbol"),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("cleared_at", UtcTime(), nullable=True),
        sa.Column("acked_by", sa.Text(), nullable=False),
        sa.Column("acked_at", UtcTime(), nullable=True),
    )
    op.create_index("alert_by_cause", "alert", ["cause", "subject"])
    op.create_index("alert_by_clearing", "alert", ["cleared_at"])
