"""Coinbase Advanced Trade v3 as a client on the wire sees it: ES256 tokens, products, orders, fills and wallets."""
