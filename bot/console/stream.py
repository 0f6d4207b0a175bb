"""Server-sent events: what has changed, to everybody who looks, worked out once for all of them.

A topic's `produce` is called in a thread while somebody listens; what it returns is sent when it differs from the last
time. Who reads too slowly is let go: the page comes back by itself and starts from what is true then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from bot.console.answers import Refusal
from bot.seams.clock import pause

log = logging.getLogger(__name__)

# So many messages may wait for a reader.
QUEUE = 32
KEEP_ALIVE_SECONDS = 15.0
_ENCODER = msgspec.json.Encoder(decimal_format="string")


@dataclass
class Topic:
    """`every_seconds` from one look to the next. `produce` returns None when there is nothing to say.

    `on_join` (if there is one) makes the first message of somebody who has just come, who gets the last one otherwise.
    """

    name: str
    every_seconds: float
    produce: Callable[[], object]
    on_join: Callable[[], object] | None = None
    repeat: bool = False
    last: bytes = b""
    listeners: "set[_Listener]" = field(default_factory=set)


@dataclass(eq=False)
class _Listener:
    queue: "asyncio.Queue[bytes | None]"

    def send(self, message: bytes) -> bool:
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True


class StreamHub:
    """Of one event loop. `run` looks after the topics until it is cancelled."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = {topic.name: topic for topic in topics}
        self._closing = False

    async def run(self) -> None:
        await asyncio.gather(*(self._keep(topic) for topic in self._topics.values()))

    async def _keep(self, topic: Topic) -> None:
        while True:
            await pause(topic.every_seconds)
            if topic.listeners:
                await self._look(topic)

    async def _look(self, topic: Topic) -> None:
        try:
            value = await run_in_threadpool(topic.produce)
        except Refusal as refusal:
            value = {"error": str(refusal)}
        except Exception:
            log.exception("topic %s could not be worked out", topic.name)
            return
        if value is None:
            return
        message = _message(topic.name, value)
        if message != topic.last or topic.repeat:
            topic.last = message
            for listener in [each for each in topic.listeners if not each.send(message)]:
                self._let_go(listener)

    def response(self, names: str, *, still: Callable[[], bool] = lambda: True) -> Response:
        """What `GET /api/v1/stream?topics=a,b` answers, as long as `still` says so.

        Raises `Refusal` for a topic that there is not.
        """
        wanted = [name for name in names.split(",") if name]
        unknown = [name for name in wanted if name not in self._topics]
        if unknown or not wanted:
            raise Refusal(400, f"there is no topic {', '.join(unknown)[:100]!r}: {', '.join(self._topics)}")
        return StreamingResponse(
            self._events([self._topics[name] for name in dict.fromkeys(wanted)], still),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    async def _events(self, topics: Sequence[Topic], still: Callable[[], bool]) -> AsyncIterator[bytes]:
        listener = _Listener(asyncio.Queue(QUEUE))
        try:
            yield b"retry: 1000\n\n"
            for topic in topics:
                topic.listeners.add(listener)
                first = await self._first(topic)
                if first:
                    yield first
            while not self._closing and still():
                try:
                    coming = listener.queue.get()  # lint: waited for with a limit in the next line
                    message = await asyncio.wait_for(coming, KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    message = b": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            for topic in topics:
                topic.listeners.discard(listener)

    async def _first(self, topic: Topic) -> bytes:
        produce = topic.on_join or topic.produce
        try:
            value = await run_in_threadpool(produce)
        except Refusal as refusal:
            value = {"error": str(refusal)}
        except Exception:
            log.exception("topic %s could not be worked out", topic.name)
            return b""
        return b"" if value is None else _message(topic.name, value)

    def _let_go(self, listener: _Listener) -> None:
        for topic in self._topics.values():
            topic.listeners.discard(listener)
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        for listener in {each for topic in self._topics.values() for each in topic.listeners}:
            self._let_go(listener)


def _message(name: str, value: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _ENCODER.encode(value) + b"\n\n"
