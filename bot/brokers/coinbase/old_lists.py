"""Lists of Coinbase's older API, page by page: each page names the address of the next."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

from bot.brokers.coinbase.calls import MAX_PAGES, OLD_API, CoinbaseCalls, QueryValue
from bot.brokers.replies import as_list, as_object
from bot.domain.errors import UnreadableReply

PAGE_SIZE = "100"


def old_pages(calls: CoinbaseCalls, path: str, *, label: str) -> Iterator[object]:
    """Every item, newest first. A page that fails fails the list. Raises `RetryLater` or `UnreadableReply`."""
    where = f"{label}: Coinbase {OLD_API}{path}"
    asked: Mapping[str, QueryValue] = {"limit": PAGE_SIZE}
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        reply = calls.get_old(path, asked)
        yield from as_list(reply.get("data"), where=where)
        following = _next_uri(reply, where=where)
        if following is None:
            return
        if following in seen:
            raise UnreadableReply(f"{where} goes in circles")
        seen.add(following)
        asked = _query_of(following, path, where=where)
    raise UnreadableReply(f"{where} does not end")


def _next_uri(reply: Mapping[str, object], *, where: str) -> str | None:
    """The address of the next page, None after the last."""
    following = as_object(reply.get("pagination"), where=f"{where} pagination").get("next_uri")
    if following is None or following == "":
        return None
    if not isinstance(following, str):
        raise UnreadableReply(f"{where}: the field next_uri should be text")
    return following


def _query_of(address: str, path: str, *, where: str) -> Mapping[str, QueryValue]:
    """What to ask the same list with for its next page: a page may lead to nowhere else, and to no other host."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UnreadableReply(f"{where}: the field next_uri is no address") from error
    query = dict(parse_qsl(parts.query))
    if parts.scheme or parts.netloc or parts.path != f"{OLD_API}{path}" or not query:
        raise UnreadableReply(f"{where}: the field next_uri leads somewhere else: {address[:80]!r}")
    return query
