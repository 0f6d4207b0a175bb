"""What tests of every kind may share within one process."""

from collections.abc import Iterator

import pytest

from tests.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started when the first test asks for it. Whoever stops it starts one of its own instead."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()
