"""Binance's WebSocket API, as far as the stream of an account's own orders and balances needs it."""
