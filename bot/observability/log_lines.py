"""The two forms of a line of the log: for people, and one JSON object for programs."""

import json
import logging
from datetime import UTC, datetime

from bot.observability.correlation import SHORT_ID, current_work

_TEXT_FORMAT = "%(asctime)s %(levelname)-7s [%(threadName)s] %(message)s"
# Before each line of a traceback: nothing in it can be taken for a line of the log.
CONTINUED = "    | "


class TextLines(logging.Formatter):
    """For people. What belongs to a signal ends with the first characters of its id, if the sentence has not got them.

    `grep` for these finds the master's trade, the plan, each user's copy and its fills.
    """

    def __init__(self) -> None:
        super().__init__(_TEXT_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        lines = [f"{self.formatMessage(record)}{_mark(record.message)}"]
        for text in (record.exc_text, record.stack_info):
            lines += [f"{CONTINUED}{line}" for line in text.split("\n")] if text else []
        return "\n".join(lines)


def _mark(message: str) -> str:
    short = current_work().signal[:SHORT_ID]
    return f" [{short}]" if short and short not in message else ""


class JsonLines(logging.Formatter):
    """One JSON object per line. `time` is UTC.

    `account`, `order` (our client order id) and `correlation` (the signal's id, and before there is one the order's)
    are there where they are known.
    """

    def format(self, record: logging.LogRecord) -> str:
        work = current_work()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "thread": record.threadName,
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = {"account": work.account, "correlation": work.correlation, "order": work.order}
        line |= {name: value for name, value in known.items() if value}
        for name, text in (("traceback", record.exc_text), ("stack", record.stack_info)):
            if text:
                line[name] = text
        return json.dumps(line, ensure_ascii=False)
