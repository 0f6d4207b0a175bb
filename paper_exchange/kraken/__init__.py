"""Kraken Spot: the REST face of the exchange in the wire format of ``api.kraken.com``."""
