"""Coinbase's sockets: what its user endpoint tells of an account's orders."""
