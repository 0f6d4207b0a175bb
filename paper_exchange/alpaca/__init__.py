"""Alpaca: its trading API for US stocks, and the market data beside it."""
