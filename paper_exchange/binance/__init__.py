"""Binance spot (API v3 and the wallet's v1) as a client on the wire sees it: HMAC over parameters, weights, orders."""
