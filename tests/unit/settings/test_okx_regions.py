"""Keys of one OKX region must not meet the sockets of another."""

import pytest

from bot.settings.venues import OkxSettings


@pytest.mark.parametrize(
    ("rest_url", "live", "demo"),
    [
        ("https://www.okx.com", "wss://ws.okx.com:8443", "wss://wspap.okx.com:8443"),
        ("https://openapi.okx.com", "wss://ws.okx.com:8443", "wss://wspap.okx.com:8443"),
        ("https://my.okx.com", "wss://wseea.okx.com:8443", "wss://wseeapap.okx.com:8443"),
        ("https://eea.okx.com", "wss://wseea.okx.com:8443", "wss://wseeapap.okx.com:8443"),
        ("https://app.okx.com", "wss://wsus.okx.com:8443", "wss://wsuspap.okx.com:8443"),
        ("https://us.okx.com", "wss://wsus.okx.com:8443", "wss://wsuspap.okx.com:8443"),
        ("https://okx.example.org", None, None),
    ],
)
def test_the_private_stream_is_that_of_the_keys_region(rest_url: str, live: str | None, demo: str | None) -> None:
    assert OkxSettings(rest_url=rest_url).socket_url() == live
    assert OkxSettings(rest_url=rest_url, demo=True).socket_url() == demo
    assert OkxSettings(rest_url=rest_url, private_stream=False).socket_url() is None
    chosen = OkxSettings(rest_url=rest_url, websocket_url="wss://own.example.org")
    assert chosen.socket_url() == "wss://own.example.org"
