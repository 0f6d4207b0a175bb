"""`bot.py report`: one page that loads nothing, runs nothing, and says what `pnl` says."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot import app
from bot.diagnostics.report.axis import axis_of, mark_texts
from bot.diagnostics.report.bars import Bar, bars_panel, list_of_bars
from bot.diagnostics.report.line import line_panel, thinned
from bot.diagnostics.report.page import page, paragraph
from tests.stored_bot import DAIVON, KRAKEN, StoredBot
from tests.unit.diagnostics.conftest import Ask
from tests.unit.diagnostics.ledger import Ledger, at, runs_at

# Those that HTML knows no end of; elements of SVG end themselves.
EMPTY_ELEMENTS = {"meta"}


class Outline(HTMLParser):
    """Which elements a page has, whether they are nested rightly, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def kraken(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(4, "12:01"))))
    books = Ledger(bot, KRAKEN, opened=at(1, "06:00"), units={"USD": "10000"})
    books.buy(at(1, "10:00"), "ETH/USD", "10", "100", fee="2.6")
    books.close(at(2, "00:00"), {"ETH": "110"})
    books.sell(at(2, "10:00"), "ETH/USD", "4", "120", fee="1.2")
    books.close(at(3, "00:00"), {"ETH": "115"})
    books.close(at(4, "00:00"), {"ETH": "112"})
    books.point(at(4, "12:00"), {"ETH": "113"})
    Ledger(bot, DAIVON, opened=at(4, "06:00"), units={"USD": "100"})
    return books


def written(ask: Ask, home: Path, *more: str) -> tuple[str, Outline]:
    shown = ask(app.main, "report", "--html", str(home / "report.html"), *more)
    assert shown.code == 0
    text = (home / "report.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    return text, outline


def test_the_page_says_what_pnl_says(ask: Ask, kraken: Ledger, home: Path) -> None:
    _, outline = written(ask, home)
    accounts = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    for account in accounts:
        assert f"{float(account['net']):+,.2f}".replace("+0.00", "0.00") in outline.text
        assert f"{float(account['equity']):,.2f}" in outline.text
    reported = ask(app.main, "report", "--html", str(home / "again.html"), "--json").json
    assert reported["accounts"] == accounts


def test_it_loads_nothing_and_no_script_can_run(ask: Ask, kraken: Ledger, home: Path) -> None:
    text, outline = written(ask, home)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(outline.names)
    names = {name for name, _ in outline.attributes}
    assert not {"src", "href", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "default-src 'none'; style-src 'sha256-" in text
    assert not re.search(r"(https?:)?//[a-z]", text)


def test_it_has_a_picture_of_equity_days_and_symbols_and_tables_beside(ask: Ask, kraken: Ledger, home: Path) -> None:
    text, outline = written(ask, home, "--account", "kraken")
    assert outline.names.count("figure") == 2
    assert text.count('class="line equity"') == 1 and text.count('class="line drawdown"') == 1
    assert text.count('class="bar ') == 4 + 4 + 1
    assert "ETH/USD" in outline.text and "2026-11-02" in outline.text
    assert outline.names.count("table") == 2


def test_words_of_others_are_shown_and_not_obeyed(ask: Ask, kraken: Ledger, home: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    kraken.bot.account(DAIVON, name=evil)
    text, outline = written(ask, home)
    assert "script" not in outline.names
    assert evil in outline.text
    assert "<script>" not in text


def test_a_stretch_of_days_is_only_that(ask: Ask, kraken: Ledger, home: Path) -> None:
    _, outline = written(ask, home, "--account", "kraken", "--from", "2026-11-01", "--to", "2026-11-02")
    assert "2026-11-01 to 2026-11-02" in outline.text
    assert "2026-11-03" not in outline.text


def test_a_file_that_cannot_be_written_is_said(ask: Ask, kraken: Ledger, home: Path) -> None:
    shown = ask(app.main, "report", "--html", str(home / "nowhere" / "report.html"))
    assert shown.code == 2
    assert "cannot be written: No such file or directory" in shown.errors


# -- pictures -----------------------------------------------------------------------------------------------------
def test_axes_have_round_marks_that_hold_every_value() -> None:
    for values in ([0.0, 7.3], [9990.0, 10010.0], [-0.004, 0.001], [5.0], [0.0], [], [1e9, 3.2e9], [-5.0, -5.0]):
        for with_zero in (True, False):
            axis = axis_of(values, with_zero=with_zero)
            assert all(axis.low <= value <= axis.high for value in values)
            assert 2 <= len(axis.marks) <= 7
            assert len(set(mark_texts(axis))) == len(axis.marks)


def test_marks_are_short_and_of_one_unit() -> None:
    assert mark_texts(axis_of([0.0, 1.9e6], with_zero=True)) == ["0.0M", "0.5M", "1.0M", "1.5M", "2.0M"]
    assert mark_texts(axis_of([9800.0, 10600.0], with_zero=False))[0] == "9.8k"


def test_what_is_not_known_breaks_a_line_and_is_no_zero() -> None:
    panel = line_panel([("equity", [(0.0, 1.0), (0.2, 2.0), None, (0.6, 3.0), (1.0, 4.0)])])
    assert panel.shapes.count("<polyline") == 2
    bars = bars_panel([Bar("a", 1.0, "a"), Bar("b", None, "b"), Bar("c", -1.0, "c")])
    assert bars.shapes.count('class="unknown"') == 1
    assert bars.shapes.count("loss") == 1


def test_a_long_line_keeps_its_ends_and_its_deepest_point() -> None:
    points = [(place / 9999, 100.0) for place in range(10_000)]
    points[4321] = (points[4321][0], 1.0)
    kept = thinned(points, most=400)
    assert len(kept) <= 402
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert points[4321] in kept


def test_text_in_pictures_is_escaped() -> None:
    shown = list_of_bars([Bar("<b>", 1.0, "<i>")]) + bars_panel([Bar("x", 1.0, "<u>")]).shapes
    assert not {"<b>", "<i>", "<u>"} & set(re.findall(r"<[a-z]+>", shown))
    assert "&lt;b&gt;" in page("<title>", [paragraph("<b>")])
