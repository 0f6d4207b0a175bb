"""The operator's day: starts of the program, drills, notifications"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import UtcTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    _create_boot()
    _create_drill_run()
    _create_notification()


def _create_boot() -> None:
    op.create_table(
        "boot",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("build", sa.Text(), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
    )


def _create_drill_run() -> None:
    op.create_table(
        "drill_run",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("build", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("detail_json", sa.Text(), nullable=False),
    )
    op.create_index("drill_run_by_name", "drill_run", ["name", "at"])


def _create_notification() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_index("notification_by_state", "notification", ["state", "due_at"])
    op.create_index("notification_by_cause", "notification", ["cause", "subject", "at"])
