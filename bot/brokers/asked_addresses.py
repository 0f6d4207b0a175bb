"""A host's addresses, for whoever must not wait: asked again and again, so that a slow name holds up nobody else."""

from collections.abc import Sequence

from bot.brokers.feed_loop import pause
from bot.brokers.resolver import Resolver
from bot.seams.clock import Clock

EVERY_SECONDS = 0.1


async def asked_addresses(resolver: Resolver, clock: Clock, host: str, *, within_seconds: float) -> Sequence[str]:
    """Best first. Raises OSError when they are not known in time."""
    until = clock.monotonic() + within_seconds
    while True:
        try:
            return resolver.addresses(host, within_seconds=0.0)
        except OSError:
            if clock.monotonic() >= until:
                raise
        await pause(EVERY_SECONDS)
