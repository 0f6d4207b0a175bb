"""The tables. What happened is in rows that only grow; what is true now of an account is one row, overwritten."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

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
    # Whose account the key opened when it was first used: another key must open the same one.
    Column("venue_identity", Text),
    Column("identity_pinned_at", UtcTime),
    # Who last said that another account's key is meant, and why.
    Column("identity_word", Text, nullable=False, server_default=""),
)

account_state = Table(
    "account_state",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    Column("updated_at", UtcTime, nullable=False),
    Column("mode", Text, nullable=False),
    Column("health", Text, nullable=False),
    # The step of the account's life behind its health (bot/domain/health.py).
    Column("phase", Text, nullable=False, server_default=""),
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
    # What proved each fact, in words, by the fact's name.
    Column("proofs_json", Text, nullable=False, server_default="{}"),
    # What an operator should change although the account works.
    Column("warning", Text, nullable=False, server_default=""),
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
    Column("old_phase", Text, nullable=False, server_default=""),
    Column("new_phase", Text, nullable=False, server_default=""),
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
    Column("break_even_percent", Amount),
    Column("max_hold_minutes", Integer),
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
    # What one base unit was expected to cost when the order was sized (quote per base).
    Column("reference_price", Amount),
    Column("stop_loss_percent", Amount),
    Column("take_profit_percent", Amount),
    Column("trailing_stop_percent", Amount),
    Column("break_even_percent", Amount),
    Column("max_hold_minutes", Integer),
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
    # An order that is given up and placed anew at another price is a chain: the first one's id, and the place in it.
    Column("chain_id", Text),
    Column("chain_step", Integer, nullable=False, server_default="0"),
    # Why nothing is placed any more after it; on every order of the chain. None = the chain goes on.
    Column("chain_end", Text),
    # Of a stop that the venue itself watches: the price at which it sells.
    Column("stop_price", Amount),
    Index("order_intent_by_account", "account_id", "state"),
    Index("order_intent_by_chain", "chain_id"),
    Index(
        "order_intent_open_chain",
        "account_id",
        sqlite_where=text("chain_id IS NOT NULL AND chain_end IS NULL"),
        postgresql_where=text("chain_id IS NOT NULL AND chain_end IS NULL"),
    ),
    Index("order_intent_by_venue_order", "account_id", "venue_order_id"),
    Index("order_intent_by_signal", "account_id", "signal_id"),
    Index("order_intent_by_sequence", "sequence", unique=True),
    Index("order_intent_by_sending", "account_id", "sent_at"),
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
    # In the order of booking: times can be equal, and clocks are set back.
    Column("sequence", Integer, nullable=False),
    # At some venues a trade id is unique per account and symbol only: a shorter key would merge two users' fills.
    PrimaryKeyConstraint("broker", "account_id", "symbol", "trade_id"),
    Index("fill_by_order", "account_id", "venue_order_id"),
    Index("fill_by_sequence", "sequence"),
    Index("fill_of_account", "account_id", "sequence"),
    Index("fill_by_time", "account_id", "executed_at", "sequence"),
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
    Column("break_even_percent", Amount),
    Column("max_hold_minutes", Integer),
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
    # Its place among the copies of its signal, in the order in which they were sent: 0 = first.
    Column("rank", Integer),
    # The market's best price when it was planned (ask for a buy, bid for a sale); none = it was not known.
    Column("seen_price", Amount),
    # What caps and cash left of ratio times the master's quantity, before rounding to the lot; none = not sized.
    Column("capped_quantity", Amount),
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
    Index("lease_by_owner", "owner"),
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
    # Why it could not be sold, when that is looked at again, and when it became a position again.
    Column("reason", Text, nullable=False, server_default=""),
    Column("retry_at", UtcTime),
    Column("reopened_at", UtcTime),
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

# Which process may trade with this database. A higher epoch shuts out every process with a lower one.
instance_lease = Table(
    "instance_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("acquired_at", UtcTime, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

# The kill switch: what a person, a file or a signal has stopped. A row is in force until it has been lifted.
halt = Table(
    "halt",
    metadata,
    Column("id", Integer, primary_key=True),
    # "all", "broker", "account" or "symbol", and which one ("" for all).
    Column("scope", Text, nullable=False),
    Column("target", Text, nullable=False),
    # "entries_off", or "flatten", which also sells what is held.
    Column("strength", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    # "command", "file", "signal", "page", "telegram" or "bot".
    Column("source", Text, nullable=False),
    Column("set_at", UtcTime, nullable=False),
    # Lifting takes two steps: asked for, then confirmed with the code that was shown.
    Column("lift_code", Text),
    Column("lift_asked_by", Text),
    Column("lift_asked_at", UtcTime),
    Column("lifted_by", Text),
    Column("lift_reason", Text),
    Column("lifted_at", UtcTime),
    Index("halt_in_force", "lifted_at"),
)

# What a flatten did for one market of one account, and what the venue says is left. Symbol "" is the account itself.
flatten_result = Table(
    "flatten_result",
    metadata,
    Column("halt_id", Integer, ForeignKey("halt.id"), nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    # "working", "done" or "left".
    Column("state", Text, nullable=False),
    Column("cancelled_orders", Integer, nullable=False),
    Column("sold_quantity", Amount, nullable=False),
    # What the venue says is left; none = not known.
    Column("left_quantity", Amount),
    Column("why", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("halt_id", "account_id", "symbol"),
)

# An entry that a limit, a halt or the account's state did not let out, with the numbers that were compared.
veto = Table(
    "veto",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("numbers_json", Text, nullable=False),
    Column("signal_id", Text),
    Column("client_order_id", Text),
    Index("veto_by_account", "account_id", "at"),
)

# What an account's own trades have made, in its quote currency, for the limits on loss. Nothing here is shared.
risk_mark = Table(
    "risk_mark",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    Column("quote_currency", Text, nullable=False),
    # The day the figures of the day belong to, as 2026-01-31, in UTC.
    Column("day", Text, nullable=False),
    Column("day_start_profit", Amount, nullable=False),
    Column("peak_profit", Amount, nullable=False),
    Column("profit", Amount),
    # What percents are of: the account's worth when the day began, and when the peak was reached.
    Column("day_start_equity", Amount),
    Column("peak_equity", Amount),
    Column("equity", Amount),
    # Where the counting stands: what sales have made so far, the last fill that is in it, and the lots after it.
    Column("realised_profit", Amount),
    Column("counted_fills", Integer, nullable=False, server_default="0"),
    Column("lots_json", Text, nullable=False, server_default="{}"),
    Column("marked_at", UtcTime, nullable=False),
    # Why the profit is not known; "" = it is.
    Column("problem", Text, nullable=False),
    # Who last let the account begin anew at its present profit, after a drawdown.
    Column("reset_by", Text, nullable=False, server_default=""),
    Column("reset_reason", Text, nullable=False, server_default=""),
    Column("reset_at", UtcTime),
)

# How a brokerage as a whole is doing: its breaker, and until when nothing is sent to it.
venue_state = Table(
    "venue_state",
    metadata,
    Column("broker", Text, primary_key=True),
    # "closed" (all is well), "open" or "probing".
    Column("breaker", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("stopped_until", UtcTime),
)

# The markets of a venue as they are listed now; overwritten. One that is gone from the list is removed.
market_catalogue = Table(
    "market_catalogue",
    metadata,
    Column("broker", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("venue_symbol", Text, nullable=False),
    # The venue's own word: online, cancel_only, post_only, ...
    Column("status", Text, nullable=False),
    Column("tradable", Boolean, nullable=False),
    Column("lot_step", Amount, nullable=False),
    Column("tick_size", Amount, nullable=False),
    Column("minimum_quantity", Amount, nullable=False),
    Column("minimum_notional", Amount, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("broker", "symbol"),
)

# The markets that are looked at closely now, by book and trades; overwritten at most once a second.
market_focus = Table(
    "market_focus",
    metadata,
    Column("broker", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    # Why: any of held, candidate, favourite, mover, joined by commas.
    Column("reasons", Text, nullable=False),
    Column("bid", Amount),
    Column("ask", Amount),
    # What is there at the best prices, in base units.
    Column("bid_quantity", Amount),
    Column("ask_quantity", Amount),
    Column("last_price", Amount),
    Column("last_side", Text, nullable=False, server_default=""),
    # Trades seen since the market came into focus.
    Column("trades", Integer, nullable=False, server_default="0"),
    # When the price came; none = there was none yet.
    Column("priced_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("broker", "symbol"),
)

# The last ticker of every market, overwritten every half minute, and a bounded line of earlier prices.
market_scout = Table(
    "market_scout",
    metadata,
    Column("broker", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("bid", Amount, nullable=False),
    Column("ask", Amount, nullable=False),
    Column("last_price", Amount, nullable=False),
    # Base units in 24 hours; none = the venue does not say.
    Column("volume_base", Amount),
    # Points of the last hour, oldest first: [unix seconds, price, volume of 24 hours], for drawing and ranking alone.
    Column("sparkline_json", Text, nullable=False, server_default="[]"),
    Column("priced_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("broker", "symbol"),
)

# The markets that move more than others now, with the figures that say so.
market_mover = Table(
    "market_mover",
    metadata,
    Column("broker", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("momentum_percent", Amount, nullable=False),
    # Over how long the momentum was measured: an hour, or less when less is known.
    Column("window_seconds", Integer, nullable=False),
    Column("volume_ratio", Amount, nullable=False),
    Column("spread_percent", Amount, nullable=False),
    Column("promoted_at", UtcTime, nullable=False),
    Column("met_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("broker", "symbol"),
)

# Where a venue's prices come from, in words, and when the watch last looked.
market_source = Table(
    "market_source",
    metadata,
    Column("broker", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("looked_at", UtcTime, nullable=False),
)

# What moved money or coins of an account besides trades, in the words of the venue's own ledger. It only grows.
cash_event = Table(
    "cash_event",
    metadata,
    Column("broker", Text, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    # The venue's own id of it.
    Column("event_id", Text, nullable=False),
    # One of bot/domain/cash_event.py: deposit, withdrawal, transfer, staking, ...
    Column("kind", Text, nullable=False),
    Column("asset", Text, nullable=False),
    # The signed change of the account's units, before the fee, which is in the same asset.
    Column("amount", Amount, nullable=False),
    Column("fee", Amount, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("reference", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    # In the order of booking, like those of fills and apart from them.
    Column("sequence", Integer, nullable=False),
    PrimaryKeyConstraint("account_id", "event_id"),
    Index("cash_event_by_sequence", "sequence"),
    Index("cash_event_of_account", "account_id", "sequence"),
    Index("cash_event_by_time", "account_id", "at", "sequence"),
)

# How far an account's ledger at its venue was read; overwritten.
cash_reading = Table(
    "cash_reading",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), primary_key=True),
    # The time of the newest entry seen; none = there was none yet.
    Column("read_until", UtcTime),
    # When the venue was asked last and answered; none = it never did.
    Column("read_at", UtcTime),
    # Why the last reading failed, in words; "" = it did not.
    Column("problem", Text, nullable=False),
)

# What the venue said an account had when its books began. What it cost is not known.
opening_balance = Table(
    "opening_balance",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("asset", Text, nullable=False),
    Column("units", Amount, nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("account_id", "asset"),
)

# An operator's dated word on what coins cost that no trade of ours has bought.
cost_entry = Table(
    "cost_entry",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("asset", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    # For all of the quantity, in `currency`.
    Column("cost", Amount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("acquired_at", UtcTime, nullable=False),
    Column("said_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
    Index("cost_entry_by_account", "account_id", "asset"),
)

# What an account was worth, by the venue's balances and prices of that time; thinned out as it ages.
equity_point = Table(
    "equity_point",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("currency", Text, nullable=False),
    Column("cash_available", Amount, nullable=False),
    Column("cash_held", Amount, nullable=False),
    Column("positions_value", Amount, nullable=False),
    # Cash and what has a price; what has none is in `unpriced_json` by asset, in units, and in no sum.
    Column("equity", Amount, nullable=False),
    Column("unpriced_json", Text, nullable=False),
    Column("oldest_price_at", UtcTime),
    # By asset: the venue's own units, and the prices as {"price": ..., "at": ...}.
    Column("units_json", Text, nullable=False, server_default="{}"),
    Column("marks_json", Text, nullable=False, server_default="{}"),
    # Whether it was a settled reading: nothing was under way, and all that had happened by then was booked.
    Column("settled", Boolean, nullable=False),
    Index("equity_point_by_time", "account_id", "at"),
)

# A day of an account's books, in `currency`, with the identity that proves it. Computed anew when late entries come.
day_close = Table(
    "day_close",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    # As 2026-01-31, in the zone of the settings; it ends at `closes_at`.
    Column("day", Text, nullable=False),
    Column("closes_at", UtcTime, nullable=False),
    Column("currency", Text, nullable=False),
    # By the venue's own balances; none = not known.
    Column("opening_equity", Amount),
    Column("equity", Amount),
    # By fills and cash events alone; none = not known.
    Column("realised", Amount),
    Column("unrealised_change", Amount),
    Column("fees", Amount),
    Column("net_deposits", Amount),
    Column("income", Amount),
    Column("other_holdings", Amount),
    # What the change of equity is more than the terms; by asset in units and value in `differences_json`.
    Column("difference", Amount),
    Column("differences_json", Text, nullable=False),
    # By asset: what the venue says there was at the end, and the prices as {"price": ..., "at": ...}.
    Column("units_json", Text, nullable=False),
    Column("marks_json", Text, nullable=False),
    # The books at the end of the day, from which the next day goes on.
    Column("books_json", Text, nullable=False),
    # The highest numbers of fills, cash events and costs that were looked at for this row.
    Column("fill_sequence", Integer, nullable=False, server_default="0"),
    Column("cash_sequence", Integer, nullable=False, server_default="0"),
    Column("cost_sequence", Integer, nullable=False, server_default="0"),
    Column("trades", Integer, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("turnover", Amount),
    # What doing nothing would have made.
    Column("hold_json", Text, nullable=False),
    # "ok", "broken", "unpriced" or "unproven", and why it is not ok or was computed anew.
    Column("status", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("account_id", "day"),
)

# Each row of fills and decisions chained to the one before: who changes one later breaks the chain there.
chain_link = Table(
    "chain_link",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("row_key", Text, nullable=False),
    Column("row_sha256", Text, nullable=False),
    Column("link_sha256", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("chain_link_by_row", "kind", "row_key", unique=True),
)

# The processes that share this database (`scaling.mode: many`); one that is not heard of until `expires_at` is gone.
trading_process = Table(
    "trading_process",
    metadata,
    Column("process_id", Text, primary_key=True),
    # In the order of joining.
    Column("epoch", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    # A digest of the accounts that its configuration names: all processes should have the same.
    Column("accounts_sha256", Text, nullable=False),
    # How many accounts it takes at most; none = its part of all of them.
    Column("share", Integer),
    Column("started_at", UtcTime, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    # Since when it takes accounts; none = not yet, or not any more.
    Column("takes_since", UtcTime),
    Column("ended_at", UtcTime),
    Column("end_reason", Text, nullable=False, server_default=""),
    Index("trading_process_by_epoch", "epoch", unique=True),
    Index("trading_process_by_end", "ended_at"),
)

# Nonces of a key below `ceiling` may have been used, by whichever process: an account that moves goes on above it.
nonce_ceiling = Table(
    "nonce_ceiling",
    metadata,
    Column("key_fingerprint", Text, primary_key=True),
    Column("ceiling", BigInteger, nullable=False),
    Column("process_id", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
)

# One look of a master at all markets: how many were left after each step. A step adds up to the one above it.
scan_cycle = Table(
    "scan_cycle",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("seconds", Amount, nullable=False),
    # Why nothing was looked for (then all counts are 0); empty = it was.
    Column("waiting", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    # Of those passed: candles known, and asked of the strategy.
    Column("ready", Integer, nullable=False),
    Column("signals", Integer, nullable=False),
    Column("ordered", Integer, nullable=False),
    # {"filtered": {rule: n}, "missing": {rule: n}, "no_entry": {rule: n}, "vetoed": {rule: n}}
    Column("counts_json", Text, nullable=False),
    Index("scan_cycle_by_account", "account_id", "at"),
)

# What the last scan said of each market, written when that changes: why a market is not bought, and since when.
market_word = Table(
    "market_word",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    # "filtered", "missing", "no_entry", "vetoed", "ordered" or "held".
    Column("stage", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("scan_id", Integer),
    PrimaryKeyConstraint("account_id", "symbol"),
)

# What became of each wish of a strategy to buy: an order, or the rule that was in the way with the numbers compared.
entry_decision = Table(
    "entry_decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("scan_id", Integer),
    Column("symbol", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("confidence", Amount, nullable=False),
    Column("reason", Text, nullable=False),
    # "ordered" or "vetoed", and for the latter the rule and its sentence.
    Column("outcome", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("numbers_json", Text, nullable=False),
    Column("client_order_id", Text),
    Index("entry_decision_by_account", "account_id", "at"),
    Index("entry_decision_by_symbol", "account_id", "symbol", "at"),
    Index("entry_decision_by_scan", "scan_id"),
)

# How each position stands with its exits, as of the account's last cycle: one row a position, overwritten.
exit_state = Table(
    "exit_state",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("cycle", Integer, nullable=False),
    # "armed", "selling", "waiting" (for a price, a market's opening, an order) or "unguarded"; and why.
    Column("status", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("bid", Amount),
    # {rule: {"level": price, "distance_percent": n, "armed": true}}
    Column("rules_json", Text, nullable=False),
    Column("faults", Text, nullable=False),
    PrimaryKeyConstraint("account_id", "symbol"),
)

# The same whenever it says something else than before: what was decided about a position, and why.
exit_decision = Table(
    "exit_decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("bid", Amount),
    Column("rules_json", Text, nullable=False),
    Column("client_order_id", Text),
    Index("exit_decision_by_account", "account_id", "at"),
    Index("exit_decision_by_symbol", "account_id", "symbol", "at"),
)

# A position from its first lot to its last, when it has ended. Amounts in the market's quote currency.
round_trip = Table(
    "round_trip",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime, nullable=False),
    Column("bought_quantity", Amount, nullable=False),
    Column("bought_quote", Amount, nullable=False),
    Column("sold_quote", Amount, nullable=False),
    # None where a fee was in another currency than the market's two.
    Column("fees_quote", Amount),
    Column("exit_rule", Text, nullable=False),
    Column("signal_id", Text),
    Index("round_trip_by_account", "account_id", "closed_at"),
)

# Shares of entries that were too small to be bought, kept until they are enough (`when_below_minimum: accumulate`).
accumulation = Table(
    "accumulation",
    metadata,
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("account_id", "symbol"),
)

# Before a master enters: who could follow, who could not and why, and all their orders against the book's depth.
capacity_preview = Table(
    "capacity_preview",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("account_id", Text, ForeignKey("account.account_id"), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", Amount, nullable=False),
    Column("price", Amount, nullable=False),
    Column("followers", Integer, nullable=False),
    Column("able", Integer, nullable=False),
    # {reason: n}
    Column("unable_json", Text, nullable=False),
    Column("flow_notional", Amount, nullable=False),
    # None = the depth of the book is not known.
    Column("depth_notional", Amount),
    # "allowed", "capped" or "refused"; and the client order id of what was entered.
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("client_order_id", Text),
    Index("capacity_preview_by_account", "account_id", "at"),
)

# What a person has asked for on the page or by the API, who it was, and what came of it. Rows stay for ever.
control_request = Table(
    "control_request",
    metadata,
    Column("id", Integer, primary_key=True),
    # Made by whoever asks: the same request twice is one row.
    Column("nonce", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("details_json", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("address", Text, nullable=False),
    # "asked", "taken", "done", "refused" or "failed".
    Column("state", Text, nullable=False),
    Column("taken_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("result_json", Text, nullable=False),
    Index("control_request_by_nonce", "nonce", unique=True),
    Index("control_request_by_state", "state"),
)

# Markets that a person wants to be looked at closely, beside those of the settings.
favourite = Table(
    "favourite",
    metadata,
    Column("broker", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("broker", "symbol"),
)

# What a person should know of: one row from when it begins until it has cleared.
alert = Table(
    "alert",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("count", Integer, nullable=False),
    Column("cleared_at", UtcTime),
    Column("acked_by", Text, nullable=False),
    Column("acked_at", UtcTime),
    Index("alert_by_cause", "cause", "subject"),
    Index("alert_by_clearing", "cleared_at"),
)

# Each start of the program: `settled_at` when it had run long enough not to count as crashed at the start, `ended_at`
# and `exit_code` when it ended by itself. A row with neither is that of the process that runs, or of one that died.
boot = Table(
    "boot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("build", Text, nullable=False),
    Column("configuration", Text, nullable=False),
    Column("settled_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("exit_code", Integer),
    # Why it ended, or what was special about it.
    Column("detail", Text, nullable=False),
)

# Each drill that was carried out, and how it came out. Rows stay for ever.
drill_run = Table(
    "drill_run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("build", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    # The steps, each with what was expected, what was seen and how long it took.
    Column("detail_json", Text, nullable=False),
    Index("drill_run_by_name", "name", "at"),
)

# What is told to people outside, a row per message and channel.
notification = Table(
    "notification",
    metadata,
    Column("id", Integer, primary_key=True),
    # As in `alert`.
    Column("cause", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    # When it is tried next.
    Column("due_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    # "waiting", "sent", "given_up" or "grouped" (told with another one).
    Column("state", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("problem", Text, nullable=False),
    Index("notification_by_state", "state", "due_at"),
    Index("notification_by_cause", "cause", "subject", "at"),
)
