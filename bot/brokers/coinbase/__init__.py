"""Coinbase Advanced Trade over REST."""
