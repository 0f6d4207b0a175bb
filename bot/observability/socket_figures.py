"""Figures of the sockets to a venue."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# An answer takes one round trip to the venue and what the venue adds.
_ACK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


class SocketFigures:
    """Told by the loop of the sockets what happens there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge("nija_sockets_up", "Connections that are up", ["kind"], registry=registry)
        self._connects = Counter(
            "nija_socket_connects", "Connections made, the first ones too", ["kind"], registry=registry
        )
        self._gaps = Counter("nija_stream_gaps", "Messages missing or out of order", ["channel"], registry=registry)
        self._orders = Counter("nija_order_ways", "Orders and cancels", ["way", "outcome"], registry=registry)
        self._acks = Histogram(
            "nija_order_ack_seconds",
            "From an order's sending to its answer",
            ["way"],
            buckets=_ACK_BUCKETS,
            registry=registry,
        )

    def socket(self, kind: str, *, up: bool) -> None:
        """A connection was made or has ended."""
        if up:
            self._up.labels(kind).inc()
            self._connects.labels(kind).inc()
        else:
            self._up.labels(kind).dec()

    def gap(self, channel: str) -> None:
        """A private channel is subscribed to anew."""
        self._gaps.labels(channel).inc()

    def order(self, way: str, outcome: str, seconds: float) -> None:
        """One order or cancel has its outcome."""
        self._orders.labels(way, outcome).inc()
        self._acks.labels(way).observe(seconds)
