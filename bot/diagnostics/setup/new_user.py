"""Making a user who is to be added, by the same rules by which user files are read."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.user_lines import NewUser, line_of_user, with_user
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError, NumberRefused
from bot.domain.money import parse_decimal
from bot.settings import Settings
from bot.settings.json_positions import read_json
from bot.settings.user_fields import ACCOUNT_TYPES, AccountClass, FileKind, read_user
from bot.settings.users import UserSettings

DEFAULT_BALANCE = Decimal(1_000)
# What an amount of a user is called on the command line and in its file.
COPY_AMOUNTS = ("risk_multiplier", "fixed_amount_usd", "fixed_ratio", "max_trade_notional_usd")


def new_user(
    settings: Settings,
    place: Place,
    *,
    user_id: str,
    broker: str,
    account_class: str = "retail",
    name: str = "",
    paper_balance: str = "",
    copying: Mapping[str, str] | None = None,
    others: Iterable[NewUser] = (),
) -> NewUser:
    """The user these words mean. Raises `ConfigurationError`: a word that cannot be, or a user who is there already.

    `others` are users who will be added with it.
    """
    user = NewUser(
        user_id=user_id,
        broker=broker_of(broker, settings),
        account_class=class_of(account_class),
        name=name or user_id.replace("_", " ").replace("-", " ").title(),
        paper_balance=_amount(paper_balance, "paper_balance") if paper_balance else DEFAULT_BALANCE,
        copying={key: _amount(value, key) if key in COPY_AMOUNTS else value for key, value in (copying or {}).items()},
    )
    as_read(user)
    _refuse_known(user, settings, place)
    if any(user.account == other.account for other in others):
        raise ConfigurationError(f"{user.user_id} at {user.broker} is named twice")
    return user


def as_read(user: NewUser) -> UserSettings:
    """The user as the next start will read it. Raises `ConfigurationError`."""
    listed = read_json(with_user("", user)).root.value
    assert isinstance(listed, list)
    found, defects = read_user(listed[0], FileKind(user.account_class, user.broker), user.file_name)
    if found is None:
        raise ConfigurationError(*(defect.text for defect in defects))
    return found


def broker_of(text: str, settings: Settings) -> BrokerType:
    """One of the five, or an exchange that the settings open by name. Raises `ConfigurationError`."""
    known = settings.brokers()
    for broker in known:
        if str(broker) == text.strip().lower():
            return broker
    raise ConfigurationError(f"there is no brokerage {text!a}; there are {', '.join(known)}")


def class_of(text: str) -> AccountClass:
    """Raises `ConfigurationError`."""
    for known in ACCOUNT_TYPES:
        if text.strip().lower() == known:
            return known
    raise ConfigurationError(f"the class must be {' or '.join(ACCOUNT_TYPES)}, not {text!a}")


def _refuse_known(user: NewUser, settings: Settings, place: Place) -> None:
    for known in settings.users:
        if known.account == user.account:
            path = place.user_path(known.source_file.rpartition("/")[2])
            line = line_of_user(path, user.user_id)
            where = place.shown(path) + (f":{line}" if line else "")
            raise ConfigurationError(f"{user.user_id} at {user.broker} is there already: {where}")


def _amount(text: str, name: str) -> Decimal:
    try:
        return parse_decimal(text.strip(), field=name)
    except NumberRefused as error:
        raise ConfigurationError(f"{name} must be a number, not {text!a}") from error
