"""What an operator wants, whoever asked: the questions, the flags, or `init-user`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bot.diagnostics.setup.user_lines import NewUser
from bot.domain.account import BrokerType
from bot.settings import Settings
from bot.settings.users import UserSettings

Mode = Literal["paper", "live"]
PAPER_DIRECTORY, LIVE_DIRECTORY = "data", "data-live"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is None or empty stays as it is.

    `brokers` are all whose masters run; `leaving` are users who are to be switched off. `settings` are by dotted
    name, as YAML writes their values. `variables` are those of `.env`, mostly keys.
    """

    mode: Mode | None = None
    brokers: Sequence[BrokerType] | None = None
    users: Sequence[NewUser] = ()
    leaving: Sequence[UserSettings] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def idle_users(settings: Settings, brokers: Sequence[BrokerType]) -> Sequence[UserSettings]:
    """Users at the five brokerages who copy nobody when only the masters of `brokers` run."""
    return [user for user in settings.users if user.enabled and user.broker.is_named and user.broker not in brokers]


def state_directory_for(mode: Mode, settings: Settings, project: Path) -> str:
    """Paper and live need directories of their own: the one to go to when the mode changes, empty = it may stay.

    Only the directories that NIJA names itself are exchanged; one that the operator has named is theirs.
    """
    if mode == settings.trading_mode or settings.state_dir.parent != project:
        return ""
    return {("live", PAPER_DIRECTORY): LIVE_DIRECTORY, ("paper", LIVE_DIRECTORY): PAPER_DIRECTORY}.get(
        (mode, settings.state_dir.name), ""
    )
