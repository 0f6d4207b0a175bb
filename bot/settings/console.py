"""Settings of the Ops Console, the page of the operator."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from bot.settings.section import Section
from bot.settings.values import Flag, SomeSeconds, Text, Whole, shown

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


def _read_host_names(value: object) -> object:
    """A list, or one text with commas, of names such as `nija.example.org`."""
    items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(items, list | tuple | frozenset):
        raise ValueError(f"must be a list of host names such as nija.example.org, not {shown(value)}")
    for item in items:
        if not isinstance(item, str) or not _HOST_NAME.fullmatch(item):
            raise ValueError(f"has {shown(item)}, which is not a host name such as nija.example.org")
    return tuple(items)


HostNames = Annotated[tuple[str, ...], BeforeValidator(_read_host_names)]


class ConsoleSettings(Section):
    """Where the page is, and for whom. Its passwords are in the environment (docs/console.md)."""

    enabled: Flag = Field(default=True, description="false = no page; PORT then answers health checks alone")
    host: Text = Field(default="127.0.0.1", description="address it listens on; any other needs a password")
    port: Annotated[Whole, Field(ge=0, le=65_535)] = Field(
        default=8080,
        description="of the page; 0 = any free one; the variable PORT of hosting platforms means 0.0.0.0 too",
        json_schema_extra={"unit": "port"},
    )
    public_hosts: HostNames = Field(
        default=(),
        description="names it answers to beside this machine's; those of Railway and Render are known",
        json_schema_extra={"unit": "host names"},
    )
    trust_proxy: Flag = Field(
        default=False, description="believe X-Forwarded-For and -Proto; true only behind a proxy that sets them"
    )
    session_hours: Annotated[SomeSeconds, Field(ge=0.1, le=720)] = Field(
        default=12.0, description="who signed in is asked again after this", json_schema_extra={"unit": "hours"}
    )
