"""Kraken's WebSocket v2: public market data, private streams and order entry."""
