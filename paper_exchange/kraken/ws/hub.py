"""All connections of the sockets: the way of a request from its text to its answers, with faults and journal."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from paper_exchange.api_keys import Account
from paper_exchange.clock import steady_seconds
from paper_exchange.exchange import Exchange
from paper_exchange.faults import SOCKET_CONNECTS, SOCKET_REQUESTS, FaultAction, FaultKind
from paper_exchange.http import Call, check_write_ahead, write_line
from paper_exchange.kraken.envelope import PERMISSION_DENIED, KrakenError
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws import answers, trading
from paper_exchange.kraken.ws.answers import Answer
from paper_exchange.kraken.ws.connect_limit import ConnectLimit
from paper_exchange.kraken.ws.market_feed import CHANNELS, MarketFeed
from paper_exchange.kraken.ws.methods import TRADES
from paper_exchange.kraken.ws.private_feed import BALANCES, EXECUTIONS, PrivateFeed
from paper_exchange.kraken.ws.requests import Request, UnreadableRequest, read_request, unsupported_field
from paper_exchange.kraken.ws.session import Session
from paper_exchange.kraken.ws.subscribing import NO_PRIVATE, NO_PUBLIC, PrivateSubscribing, Sent
from paper_exchange.sockets.connecting import open_as_told
from paper_exchange.sockets.connection import ABNORMAL, Connection
from paper_exchange.sockets.pushes import Pushes

BROKERAGE = "kraken"
PUBLIC_PORT, PRIVATE_PORT = "kraken_ws", "kraken_ws_auth"
ROUTES = {(PUBLIC_PORT, "/v2"): False, (PUBLIC_PORT, "/auth/v2"): True, (PRIVATE_PORT, "/v2"): True}
"""Which paths there are, and whether they are private."""
INVALID_SESSION = "ESession:Invalid session"
NO_TOKEN = "Token(s) not found"
FIRST_CONNECTION_ID = 12_393_906_104_898_154_338
IDLE_SECONDS = 60.0
HEARTBEAT_SECONDS = 0.95
"""A heartbeat a second where nothing else was sent; a little less, as a second is not one to the millisecond."""


class Hub:
    """Told of connections by their ports; used from one thread only."""

    def __init__(self, exchange: Exchange, front: KrakenFront, *, limit: ConnectLimit | None = None) -> None:
        self._exchange = exchange
        self._front = front
        self._sessions: dict[Connection, Session] = {}
        self._pushes = Pushes(exchange, BROKERAGE)
        self._private_feed = PrivateFeed(exchange, front.names, self._pushes)
        self._private = PrivateSubscribing(self._private_feed)
        self._market_feed = MarketFeed(exchange, front.names, self._pushes)
        self._limit = limit or ConnectLimit(None)
        self._connections = 0

    # Connections.

    def on_request(self, connection: Connection, path: str) -> None:
        call = Call(BROKERAGE, "WS", path, b"", {}, b"", self._exchange.clock.now_ns(), endpoint="ws/connect")
        write_line(self._exchange, call, "request", error=None)
        fault = self._exchange.faults.take(BROKERAGE, None, call.endpoint, SOCKET_CONNECTS)
        if not self._limit.allows(steady_seconds()):
            write_line(self._exchange, call, "refuse", error="Too many connections")
            connection.reject(429, "")
        else:
            open_as_told(fault, connection, path, self._open)

    def on_gone(self, connection: Connection) -> None:
        session = self._sessions.pop(connection, None)
        if session is not None:
            for subscription in session.subscriptions.values():
                feed = self._market_feed if subscription.channel in CHANNELS else self._private_feed
                feed.remove(subscription)
            session.subscriptions.clear()

    def _open(self, connection: Connection, path: str) -> None:
        private = ROUTES.get((connection.port, path))
        if private is None:
            connection.reject(404, "")
            return
        connection.accept()
        if not connection.is_open:
            return
        self._connections += 1
        session = Session(connection, private=private, connection_id=FIRST_CONNECTION_ID + self._connections)
        self._sessions[connection] = session
        session.send([answers.status("online", session.connection_id)])

    def close_all(self) -> None:
        """The exchange goes down: a close frame for everybody."""
        for session in list(self._sessions.values()):
            session.connection.close(1001)

    # Time.

    def beat(self, now: float) -> None:
        """Once a second: heartbeats for those who are subscribed, the end for those who do nothing."""
        for session in list(self._sessions.values()):
            session.speak_again(now)
            if session.subscriptions and now - session.last_out >= HEARTBEAT_SECONDS:
                self._pushes.heartbeat(session, answers.HEARTBEAT)
            elif now - max(session.last_in, session.last_out) >= IDLE_SECONDS:
                session.connection.close(1000)

    async def tick(self) -> None:
        """Once a second: what is new in the market."""
        await self._market_feed.tick()

    # Requests.

    def on_text(self, connection: Connection, text: bytes) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        session.note_arrival()
        self._private_feed.note_request()
        try:
            request = read_request(text)
        except UnreadableRequest:
            request = Request("", {})
        self._receive(session, request, text)

    def _receive(self, session: Session, request: Request, text: bytes) -> None:
        now_ns = self._exchange.advance()
        call = self._call(session, request, text, now_ns)
        if self._exchange.faults:
            call.fault = self._exchange.faults.take(BROKERAGE, call.account_name, call.endpoint, SOCKET_REQUESTS)
        if request.method != "ping":
            write_line(self._exchange, call, "request", error=None)
        if call.fault is not None:
            self._misbehave(session, request, call, call.fault)
        else:
            self._send(session, request, call, self._carry_out(session, request, call, now_ns))

    def _misbehave(self, session: Session, request: Request, call: Call, fault: FaultAction) -> None:
        def late(answer: bool = True) -> None:
            sent = self._carry_out(session, request, call, self._exchange.advance())
            self._send(session, request, call, sent if answer else [one for one in sent if isinstance(one, bytes)])

        loop = asyncio.get_running_loop()
        match fault.kind:
            case FaultKind.API_ERROR:
                self._send(session, request, call, self._refused(request, call, fault.text or ""))
            case FaultKind.STALE_TOKEN:
                self._exchange.websocket_tokens.revoke(str(request.params.get("token")))
                self._send(session, request, call, self._refused(request, call, INVALID_SESSION))
            case FaultKind.DELAY if fault.part == "answer":
                sent = self._carry_out(session, request, call, call.received_ns)
                loop.call_later(fault.seconds or 0.0, self._send, session, request, call, sent)
            case FaultKind.DELAY:
                self._judge(request, call)
                loop.call_later(fault.seconds or 0.0, late)
            case FaultKind.DROP_RESPONSE:
                late(answer=False)
            case FaultKind.BODY:
                self._carry_out(session, request, call, call.received_ns)
                session.send([(fault.text or "").encode()])
            case FaultKind.CLOSE:
                self._carry_out(session, request, call, call.received_ns)
                session.connection.close(fault.code or ABNORMAL)
            case FaultKind.RESET:
                session.connection.abort()

    def _send(self, session: Session, request: Request, call: Call, sent: Sent) -> None:
        self._exchange.keep()
        now_ns = self._exchange.clock.now_ns()
        session.send(
            [one if isinstance(one, bytes) else one.encoded(request, call.received_ns, now_ns) for one in sent]
        )

    def _carry_out(self, session: Session, request: Request, call: Call, now_ns: int) -> Sent:
        try:
            sent = self._execute(session, request, call, now_ns)
        except KrakenError as problem:
            return self._refused(request, call, problem.text)
        finally:
            self._exchange.publish_events(endpoint=call.endpoint)
        for one in sent:
            if isinstance(one, Answer) and one.error is not None:
                write_line(self._exchange, call, "refuse", error=one.error)
        return sent

    def _execute(self, session: Session, request: Request, call: Call, now_ns: int) -> Sent:
        if request.others:
            raise unsupported_field(min(request.others), request.method)
        if request.method == "ping":
            if request.has_params:
                raise unsupported_field("params", "ping")
            return [answers.pong(request, call.received_ns, self._exchange.clock.now_ns())]
        if request.method in ("subscribe", "unsubscribe"):
            return self._subscribing(session, request, call)
        if request.method not in TRADES:
            raise KrakenError("Unsupported event")
        method = TRADES[request.method]
        if not method.opens_to(self._authorised(session, call).permissions):
            raise KrakenError(PERMISSION_DENIED)
        self._judge(request, call)
        return list(method.trade(trading.Order(self._front, call, request.method, request.params, now_ns)))

    def _subscribing(self, session: Session, request: Request, call: Call) -> Sent:
        channel = request.params.get("channel")
        if session.connection not in self._sessions:
            return []  # It was held up by a fault, and nobody is left to send to.
        if channel in (EXECUTIONS, BALANCES):
            account = self._authorised(session, call)
            if request.method == "subscribe":
                return self._private.subscribe(session, request, account)
            return self._private.unsubscribe(session, request)
        if session.private:
            raise KrakenError(NO_PUBLIC)
        if not isinstance(channel, str) or channel not in CHANNELS:
            raise KrakenError("Unsupported channel")
        if request.method == "subscribe":
            return self._market_feed.subscribe(session, request)
        return self._market_feed.unsubscribe(session, request)

    def _authorised(self, session: Session, call: Call) -> Account:
        if not session.private:
            raise KrakenError(NO_PRIVATE)
        if not call.data["token"]:
            raise KrakenError(NO_TOKEN)
        if call.account is None:
            raise KrakenError(INVALID_SESSION)
        session.account = call.account
        return call.account

    def _refused(self, request: Request, call: Call, text: str) -> Sent:
        write_line(self._exchange, call, "refuse", error=text)
        more: dict[str, object] = {}
        if text == INVALID_SESSION and request.method in ("subscribe", "unsubscribe"):
            more = {"channel": request.params.get("channel"), "status": "error"}
        return [Answer(error=text, more=more)]

    def _judge(self, request: Request, call: Call) -> None:
        """Say once of each order, as soon as it is here, whether its sender had written it down."""
        if self._exchange.write_ahead is None or call.account is None or "judged" in call.data:
            return
        call.data["judged"] = True
        order = trading.Order(self._front, call, request.method, request.params, call.received_ns)
        check_write_ahead(self._exchange, call, lambda: trading.placements(order))

    def _call(self, session: Session, request: Request, text: bytes, now_ns: int) -> Call:
        """The request as faults and journal know it."""
        params, token = request.params, request.params.get("token")
        call = Call(BROKERAGE, "WS", "/v2", b"", {}, text, now_ns, endpoint=f"ws/{request.method}")
        call.data["token"] = token
        call.account = self._account(session, token, now_ns) if isinstance(token, str) else None
        if request.method in TRADES:
            call.client_order_id = _if_text(params.get("cl_ord_id"))
            call.order_id = _if_text(params.get("order_id"))
            call.symbol, call.side = _if_text(params.get("symbol")), _if_text(params.get("side"))
            call.quantity = _if_amount(params.get("order_qty"))
            call.price = _if_amount(params.get("limit_price"))
        return call

    def _account(self, session: Session, token: str, now_ns: int) -> Account | None:
        """Whose token it is, as the account is now; a key that was replaced opens nothing any more."""
        issued = self._exchange.websocket_tokens.account(token, now_ns)
        if issued is None:
            issued = session.owner_of_live(token)
        return self._exchange.account_by_key(BROKERAGE, issued.api_key) if issued is not None else None


def _if_text(value: object) -> str | None:
    if isinstance(value, list) and value:
        return _if_text(value[0])
    return value if isinstance(value, str) else None


def _if_amount(value: object) -> Decimal | None:
    amount = Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None
    return amount if amount is not None and amount.is_finite() and abs(amount.adjusted()) < 30 else None
