"""Brokerages whose requests ccxt signs: OKX and Binance."""
