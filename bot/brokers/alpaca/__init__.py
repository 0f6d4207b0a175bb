"""Alpaca: US stocks over its trading and market data APIs. Its library is imported when the first account is made."""
