"""The rows of a long history a few at a time, without leaving a cursor open at the server."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Executable, Row

# Rows fetched at once while a long history is gone through.
ROWS_AT_ONCE = 2000


def stream(
    connection: Connection,
    query: Executable,
    parameters: Mapping[str, Any] | None = None,
    *,
    at_once: int = ROWS_AT_ONCE,
) -> Iterator[Row[Any]]:
    """The rows of `query`; memory is bounded whatever their number. Its cursor ends with the rows or with their reader.

    To be gone through once, while the connection is open.
    """
    result = connection.execute(query, dict(parameters or {}), execution_options={"yield_per": at_once})
    try:
        yield from result
    finally:
        # Whoever stopped early may have given the connection back, and its cursors are gone with its transaction:
        # what is said on it now would be said in the middle of somebody else's.
        if not connection.closed:
            result.close()
