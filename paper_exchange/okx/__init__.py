"""OKX's REST API v5 (spot) as a front of the exchange."""
