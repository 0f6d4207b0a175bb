"""The questions of `python bot.py init`: money, brokerages, users, limits, who is told."""

from collections.abc import Sequence

from bot.diagnostics.listing import count
from bot.diagnostics.setup.asked_settings import CHANNELS, LIMITS, Asked, as_yaml, in_force
from bot.diagnostics.setup.dialogue import Dialogue, WrongAnswer, one_of
from bot.diagnostics.setup.new_user import as_read, new_user
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.smallest_start import smallest_start
from bot.diagnostics.setup.user_lines import NewUser
from bot.diagnostics.setup.wanted import Mode, Wanted, idle_users, state_directory_for
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.position_sizer import rules_of
from bot.settings import Settings
from bot.settings.user_fields import ACCOUNT_TYPES
from bot.settings.users import UserSettings

OF = 6


class Questions:
    """Asks for everything but the keys. `settings` are those in force; their values are the answers offered."""

    def __init__(self, dialogue: Dialogue, settings: Settings, place: Place) -> None:
        self._dialogue = dialogue
        self._settings = settings
        self._place = place
        self._values: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def wanted(self) -> Wanted:
        mode = self._mode()
        brokers = self._brokers()
        users = self._users(brokers)
        leaving = self._leaving(brokers, mode)
        self._limits()
        self._channels()
        directory = state_directory_for(mode, self._settings, self._place.config_dir.parent)
        return Wanted(
            mode=mode,
            brokers=brokers,
            users=users,
            leaving=leaving,
            settings=self._values | ({"state_dir": directory} if directory else {}),
            variables=self._secrets,
        )

    def heading(self, number: int, text: str) -> None:
        self._dialogue.say("")
        self._dialogue.say(f"{number} of {OF}: {text}")

    # -- one after the other ----------------------------------------------------------------------------------------
    def _mode(self) -> Mode:
        """Live is never what Enter means."""
        self.heading(1, "Money")
        self._dialogue.say("  paper: no real money can move. live: it can, with your keys.")
        default = "" if self._settings.trading_mode == "live" else "paper"
        if not default:
            self._dialogue.say("  It is live now.")
        while True:
            if self._dialogue.choose("Paper or live", ("paper", "live"), default=default) == "paper":
                return "paper"
            if self._dialogue.ask("Real money then. Type live once more to be sure", check=str) == "live":
                return "live"

    def _brokers(self) -> Sequence[BrokerType]:
        self.heading(2, "Brokerages")
        self._dialogue.say(f"  One or more of {', '.join(BrokerType)}; or all. Each has a master, whom its users copy.")
        now = [str(master.broker) for master in self._settings.masters if master.enabled and master.broker.is_named]
        default = "all" if len(now) == len(BrokerType) else ", ".join(now) or "all"
        return self._dialogue.ask("Which", default=default, check=brokers_in)

    def _users(self, brokers: Sequence[BrokerType]) -> Sequence[NewUser]:
        self.heading(3, "Users, who copy the master of their brokerage")
        added: list[NewUser] = []
        for broker in brokers:
            there = [user for user in self._settings.users if user.broker is broker]
            self._dialogue.say(f"  {broker.proper_name} has {', '.join(map(_described, there)) or 'nobody yet'}.")
            while (user := self._user(broker, added)) is not None:
                added.append(user)
        return added

    def _user(self, broker: BrokerType, added: Sequence[NewUser]) -> NewUser | None:
        ask = self._dialogue.ask

        def somebody(text: str) -> NewUser | None:
            return self._made(text.strip(), broker, added) if text.strip() else None

        first = ask(f"Add a user at {broker.proper_name}: its id, as anna_lee (Enter = no more)", check=somebody)
        if first is None:
            return None
        name = ask(
            "  Name", default=first.name, check=lambda text: self._made(first.user_id, broker, (), name=text).name
        )
        kind = self._dialogue.choose("  Class", ACCOUNT_TYPES, default="retail")
        balance = ask(
            "  What it starts with on paper",
            default="1000",
            check=lambda text: self._made(first.user_id, broker, (), paper_balance=text),
        ).paper_balance
        user = self._made(first.user_id, broker, added, name=name, account_class=kind, paper_balance=str(balance))
        rules = rules_of(as_read(user).copy_rules)
        self._dialogue.say(f"  {smallest_start(self._settings, broker, rules).sentence}.")
        return user

    def _leaving(self, brokers: Sequence[BrokerType], mode: Mode) -> Sequence[UserSettings]:
        """Users whose master will not run. With real money they may hold something: Enter leaves them as they are."""
        idle = idle_users(self._settings, brokers)
        if not idle:
            return ()
        where = ", ".join(dict.fromkeys(user.broker.proper_name for user in idle))
        question = f"{count(len(idle), 'user')} at {where} would copy nobody. Switch them off"
        return idle if self._dialogue.agrees(question, default=mode == "paper") else ()

    def _made(self, user_id: str, broker: BrokerType, added: Sequence[NewUser], **words: str) -> NewUser:
        try:
            return new_user(
                self._settings,
                self._place,
                user_id=user_id,
                broker=str(broker),
                others=added,
                account_class=words.get("account_class", "retail"),
                name=words.get("name", ""),
                paper_balance=words.get("paper_balance", ""),
            )
        except ConfigurationError as error:
            raise WrongAnswer("; ".join(error.problems)) from error

    def _limits(self) -> None:
        self.heading(4, "Limits")
        for asked in LIMITS:
            self._setting(asked)

    def _setting(self, asked: Asked) -> None:
        def check(text: str) -> str:
            if asked.needed and text in ("", "none"):
                raise WrongAnswer("this way of telling needs it")
            return as_yaml(asked, text)

        now = in_force(self._settings, asked.name)
        default = now or ("" if asked.needed else "none")
        answer = self._dialogue.ask(f"  {asked.question}", default=default, check=check)
        if answer != as_yaml(asked, now):
            self._values[asked.name] = answer

    def _channels(self) -> None:
        self.heading(5, "Who is told when something happens")
        self._dialogue.say(f"  By {', '.join(CHANNELS)}, several with commas. The page and the log always tell.")
        for name in self._dialogue.ask("How (Enter = nobody)", check=channels_in):
            channel = CHANNELS[name]
            for asked in channel.settings:
                self._setting(asked)
            secret = self._dialogue.secret(f"  {channel.secret_question} (Enter = as it is)")
            if secret:
                self._secrets[channel.secret] = secret


def brokers_in(text: str) -> Sequence[BrokerType]:
    """Brokerages by name, with commas or spaces between them, or `all`. Raises `WrongAnswer`."""
    words = text.lower().replace(",", " ").split()
    if not words or words == ["all"]:
        return tuple(BrokerType)
    return tuple(dict.fromkeys(BrokerType(one_of(word, tuple(map(str, BrokerType)))) for word in words))


def channels_in(text: str) -> Sequence[str]:
    """Raises `WrongAnswer`."""
    words = text.lower().replace(",", " ").split()
    return tuple(dict.fromkeys(one_of(word, tuple(CHANNELS)) for word in words if word not in ("none", "nobody")))


def _described(user: UserSettings) -> str:
    return user.user_id if user.enabled else f"{user.user_id} (switched off)"
