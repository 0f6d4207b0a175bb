"""What the operator set: read once, validated, frozen, passed. The only reader of the environment and of config/."""

from bot.settings.loading import load_settings, process_environment
from bot.settings.model import MasterSettings, Pace, Settings
from bot.settings.origins import Origin
from bot.settings.users import CopySettings, UserSettings

__all__ = [
    "CopySettings",
    "MasterSettings",
    "Origin",
    "Pace",
    "Settings",
    "UserSettings",
    "load_settings",
    "process_environment",
]
