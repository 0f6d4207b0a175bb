"""The tables. What happened is in rows that only grow; what is true now of an account is one row, overwritten."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text

from bot.storage.types import Amount, UtcTime

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

process_state = Table(
    "process_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("pid", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("heartbeat_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("end_reason", Text),
)

account = Table(
    "account",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("broker", Text, nullable=False),
    Column("account_type", Text, nullable=False),
    Column("user_id", Text),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
)

account_state = Table(
    "account_state",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    Column("updated_at", UtcTime, nullable=False),
    Column("mode", Text, nullable=False),
    Column("health", Text, nullable=False),
    Column("health_reason", Text, nullable=False),
    Column("health_since", UtcTime, nullable=False),
    Column("step", Text, nullable=False),
    Column("cycles", Integer, nullable=False),
    Column("last_cycle_at", UtcTime),
    Column("error_count", Integer, nullable=False),
    Column("waiting_for", Text, nullable=False),
    Column("configured_at", UtcTime),
    Column("authenticated_at", UtcTime),
    Column("permitted_at", UtcTime),
    Column("funded_at", UtcTime),
    Column("armed_at", UtcTime),
    # When this process first knew the venue's open orders, fills and holdings, and when it last compared them.
    Column("hydrated_at", UtcTime),
    Column("reconciled_at", UtcTime),
    Column("last_order_at", UtcTime),
    Column("last_fill_at", UtcTime),
    Column("balance_status", Text, nullable=False),
    Column("balance_reason", Text, nullable=False),
    Column("balance_errors", Integer, nullable=False),
    Column("balance_taken_at", UtcTime),
    Column("quote_currency", Text, nullable=False),
    Column("cash_available", Amount),
    Column("cash_held", Amount),
    Column("holdings_json", Text, nullable=False),
)

health_transition = Table(
    "health_transition",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

balance_snapshot = Table(
    "balance_snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    Column("quote_currency", Text, nullable=False),
    Column("cash_available", Amount, nullable=False),
    Column("cash_held", Amount, nullable=False),
    Index("balance_snapshot_by_time", "account_id", "taken_at"),
)

signal = Table(
    "signal",
    metadata,
    Column("signal_id", Text, primary_key=True),
    # The order of making. Times would not do: they can be equal, and clocks are set back.
    Column("sequence", Integer, nullable=False),
    Column("broker", Text, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", Amount, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("reference_price", Amount, nullable=False),
    Column("master_balance", Amount),
    Column("venue_order_id", Text),
    Column("batch", Integer, nullable=False),
    Column("stop_loss_percent", Amount),
    Column("take_profit_percent", Amount),
    Column("trailing_stop_percent", Amount),
    Column("executed_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("planned_at", UtcTime),
    Index("signal_unplanned", "broker", "planned_at"),
    Index("signal_by_order", "account_id", "venue_order_id"),
    Index("signal_by_sequence", "sequence", unique=True),
)

order_intent = Table(
    "order_intent",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("signal_id", Text, ForeignKey("signal.signal_id")),
    Column("decision", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_type", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("limit_price", Amount),
    Column("balance_before", Amount),
    Column("stop_loss_percent", Amount),
    Column("take_profit_percent", Amount),
    Column("trailing_stop_percent", Amount),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    # How often it was about to leave, the digest of what left, the venue's own deadline, and whose lease it was under.
    Column("attempt", Integer, nullable=False),
    Column("payload_sha256", Text),
    Column("sent_at", UtcTime),
    Column("expires_at", UtcTime),
    Column("settle_at", UtcTime),
    Column("epoch", Integer),
    Column("empty_lookups", Integer, nullable=False),
    Column("last_lookup_at", UtcTime),
    Column("cancel_requested_at", UtcTime),
    Column("venue_order_id", Text),
    Column("filled_quantity", Amount, nullable=False),
    Column("average_price", Amount),
    # A sentence when the evidence contradicts itself, and what a person then said: the account's thread carries it out.
    Column("needs_person", Text, nullable=False),
    Column("resolution", Text, nullable=False),
    Column("resolved_by", Text, nullable=False),
    Column("resolved_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    Index("order_intent_by_account", "account_id", "state"),
    Index("order_intent_by_venue_order", "account_id", "venue_order_id"),
    Index("order_intent_by_signal", "account_id", "signal_id"),
    Index("order_intent_by_sequence", "sequence", unique=True),
)

order_event = Table(
    "order_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_order_id", Text, ForeignKey("order_intent.client_order_id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

fill = Table(
    "fill",
    metadata,
    Column("broker", Text, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("venue_order_id", Text, nullable=False),
    Column("client_order_id", Text),
    Column("side", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("price", Amount, nullable=False),
    Column("fee", Amount, nullable=False),
    Column("fee_currency", Text, nullable=False),
    Column("executed_at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    # At some venues a trade id is unique per account and symbol only: a shorter key would merge two users' fills.
    PrimaryKeyConstraint("broker", "account_id", "symbol", "trade_id"),
    Index("fill_by_order", "account_id", "venue_order_id"),
)

fill_cursor = Table(
    "fill_cursor",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    Column("last_executed_at", UtcTime, nullable=False),
)

position = Table(
    "position",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    # Base units that mirrored exits should have sold, and could not for rounding or the minimum. The next one does.
    Column("owed_quantity", Amount, nullable=False),
    Column("average_entry_price", Amount, nullable=False),
    Column("highest_price", Amount, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("signal_id", Text),
    Column("stop_loss_percent", Amount),
    Column("take_profit_percent", Amount),
    Column("trailing_stop_percent", Amount),
    PrimaryKeyConstraint("account_id", "symbol"),
)

copy_result = Table(
    "copy_result",
    metadata,
    Column("signal_id", Text, ForeignKey("signal.signal_id"), nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("client_order_id", Text, ForeignKey("order_intent.client_order_id")),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("user_balance", Amount),
    Column("ratio", Amount),
    Column("planned_quantity", Amount),
    Column("filled_quantity", Amount),
    Column("average_price", Amount),
    Column("planned_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("last_try_at", UtcTime),
    Column("answered_at", UtcTime),
    PrimaryKeyConstraint("signal_id", "account_id"),
    Index("copy_result_by_account", "account_id", "status"),
)

# Who may send for an account. Opening it anew raises the epoch, and nothing is sent under an old one.
lease = Table(
    "lease",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
)

# Which signals a user is owed an answer to: those after `from_sequence`, up to and with `to_sequence`.
membership = Table(
    "membership",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("broker", Text, nullable=False),
    # "all" signals, or "exits_only": who left and still holds copied positions is owed their exits.
    Column("kind", Text, nullable=False),
    Column("from_sequence", Integer, nullable=False),
    Column("to_sequence", Integer),
    Index("membership_by_account", "account_id", "to_sequence"),
)

# Where the venue and the books differ. Reported, never corrected by trading.
drift = Table(
    "drift",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("readings", Integer, nullable=False),
    Column("cleared_at", UtcTime),
    PrimaryKeyConstraint("account_id", "kind", "subject"),
)

# What was left of a position when it became too small to be sold.
dust = Table(
    "dust",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("average_entry_price", Amount, nullable=False),
    Column("signal_id", Text),
    Column("closed_at", UtcTime, nullable=False),
    Index("dust_by_account", "account_id", "symbol"),
)

# A symbol that one account does not enter any more until a person says so; exits go on.
symbol_pause = Table(
    "symbol_pause",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    PrimaryKeyConstraint("account_id", "symbol"),
)
