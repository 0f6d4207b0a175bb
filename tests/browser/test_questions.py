"""What the operator asks, answered by the page of a running bot: on the first screen, or one tap from it."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.bot_process import BotProcess, wait_until
from tests.browser.open_page import DESKTOP, PHONE, TABLET, OpenPage
from tests.browser.running import WITH_MARKETS, bot_with_page, url_of

PAGES = (
    *("", "copies", "orders", "pnl", "markets", "alerts", "users", "log", "settings", "positions", "controls"),
    *("account/kraken", "why/kraken", "markets/BTC-USD"),
)
_TRADING = "() => document.getElementById('word').dataset.state === 'trading'"


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BotProcess]:
    with bot_with_page(tmp_path_factory.mktemp("questions"), **WITH_MARKETS) as started:
        yield started
        started.stop()


@pytest.fixture(scope="module")
def shown(bot: BotProcess, browser: Browser) -> Iterator[OpenPage]:
    """The first screen on a desktop, after something was bought and copied."""
    with OpenPage(browser, url_of(bot)) as opened:
        opened.go()
        opened.until(_TRADING)
        opened.until("() => document.querySelectorAll('#positions tbody tr').length > 0")
        opened.until("() => [...document.querySelectorAll('#events .pill')].some(one => one.textContent === 'copy')")
        yield opened


def test_it_says_whether_it_is_trading_for_everyone(shown: OpenPage) -> None:
    shown.go()
    assert shown.page.inner_text("main h1") == "Trading"
    accounts = shown.text("#accounts")
    for name in ("Kraken", "Coinbase", "master", "Daivon Frazier", "Tania Gilbert", "paper", "last cycle"):
        assert name in accounts
    assert re.search(r"\d+ (s|min)", accounts), "every account says how old its figures are"
    assert "paper" in shown.text("#mode").lower()


def test_the_order_of_the_first_screen_is_the_order_of_the_questions(shown: OpenPage) -> None:
    shown.go()
    headings = shown.page.eval_on_selector_all("main h1, main h2", "all => all.map(one => one.textContent)")
    assert [each for each in headings if each != "Look at this"] == [
        *("Trading", "Accounts", "Money in USD", "Open positions", "Exits owed", "Last events")
    ]
    foot = shown.text("#foot")
    assert "build" in foot and "up " in foot and "configuration" in foot


def test_it_says_how_much_there_is_and_it_adds_up(shown: OpenPage) -> None:
    shown.go()
    shown.until("() => /\\d/.test(document.querySelector('#money .tile:nth-child(2) dd').textContent)")
    tiles = shown.page.eval_on_selector_all(
        "#money .tile",
        "all => Object.fromEntries(all.map(one => [one.children[0].textContent, one.children[1].textContent]))",
    )

    def number(name: str) -> float:
        return float(tiles[name].replace(",", "").replace("\N{MINUS SIGN}", "-"))

    parts = number("Available") + number("Held by orders") + number("In positions")
    assert parts == pytest.approx(number("Equity"), abs=0.03)
    assert number("Equity") > 0
    assert number("Fees today") > 0
    assert "ago" in shown.text("#money header")


def test_it_says_what_is_held_and_how_far_the_exits_are(shown: OpenPage) -> None:
    shown.go()
    shown.until("() => /armed/.test(document.getElementById('positions').innerText)")
    assert re.search(r"hard stop [\d.]+\s%", shown.text("#positions"))


def test_whether_all_copied_is_one_tap_away_with_a_line_for_each_user(shown: OpenPage) -> None:
    shown.go().click("text=Did they all copy?")
    shown.until("() => /answers/.test(document.querySelector('main').innerText)")
    shown.page.click("main tbody th a >> nth=0")
    shown.until("() => document.querySelectorAll('main tbody tr').length === 2")
    said = shown.text()
    for word in ("asked", "got", "slippage", "latency", "copied"):
        assert word in said


def test_whether_money_was_made_is_one_tap_away_and_can_be_taken_along(shown: OpenPage) -> None:
    shown.go().click("text=Did I make money?")
    shown.until("() => /Made, after fees/.test(document.querySelector('main').innerText)")
    assert "paper" in shown.text().lower()

    def days() -> list[str]:
        with shown.page.expect_download() as download:
            shown.page.click("text=days as CSV")
        return Path(download.value.path()).read_text(encoding="utf-8").splitlines()

    wait_until(lambda: len(days()) >= 2, seconds=60, what="the running day is written down")
    assert "net" in days()[0]


def test_why_not_is_answered_for_an_account_and_for_a_market(shown: OpenPage) -> None:
    shown.go().click("#accounts tbody th a >> nth=0")
    shown.page.click("main a:has-text('why?')")
    shown.until("() => /^Why\\?/.test(document.querySelector('h1')?.textContent)")
    assert "running in paper mode" in shown.text()
    shown.page.fill("main input[type=search]", "BTC/USD")
    shown.page.click("main button:has-text('Ask')")
    shown.until("() => /BTC\\/USD/.test(document.querySelector('h1')?.textContent)")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_heading_named_tables_and_named_controls_and_fits_a_phone(shown: OpenPage, path: str) -> None:
    try:
        shown.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page = shown.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert page.locator("h1").count() == 1
        assert "could not be shown" not in shown.text()
        assert (
            page.evaluate(
                """() => [...document.querySelectorAll('main table')].filter(table => !table.caption?.textContent.trim()
                 || [...table.tBodies[0].rows].some(row => !row.querySelector('th'))).length"""
            )
            == 0
        )
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input, select, svg[role=img]')].filter(one =>
                 !one.closest('[hidden]') && !(one.innerText ?? '').trim() && !one.ariaLabel && !one.labels?.length)
                 .map(one => one.outerHTML.slice(0, 120))"""
        )
        assert nameless == []
    finally:
        shown.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    shown.was_quiet()


def test_every_colour_of_words_can_be_read_in_light_and_in_dark(shown: OpenPage) -> None:
    page = shown.go()
    page.evaluate(_CONTRAST)
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        for ink, ground in (
            *(("ink", "ground"), ("ink", "surface"), ("ink", "raised"), ("quiet", "surface"), ("quiet", "raised")),
            *(("quiet", "ground"), ("accent", "surface"), ("accent-ink", "accent"), ("good", "good-ground")),
            *(
                ("bad", "bad-ground"),
                ("note", "note-ground"),
                ("good", "surface"),
                ("bad", "surface"),
                ("note", "raised"),
            ),
        ):
            ratio = page.evaluate("([ink, ground]) => contrastOf(ink, ground)", [ink, ground])
            assert ratio >= 4.5, f"{ink} on {ground} in {theme}: {ratio:.2f}"
    page.evaluate("() => { delete document.documentElement.dataset.theme; }")


_CONTRAST = """() => {
  const light = (name) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
    const parts = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  window.contrastOf = (ink, ground) => {
    const [high, low] = [light(ink), light(ground)].sort((one, other) => other - one);
    return (high + 0.05) / (low + 0.05);
  };
}"""


def test_nothing_moves_for_whoever_asked_for_stillness_and_the_word_is_announced(
    bot: BotProcess, browser: Browser
) -> None:
    with OpenPage(browser, url_of(bot), reduced_motion="reduce") as still:
        page = still.go()
        moving = page.evaluate(
            """() => [...document.querySelectorAll('*')].filter(one => {
                 const style = getComputedStyle(one);
                 return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0; }).length"""
        )
        assert moving == 0
        assert page.get_attribute("#word", "aria-live") == "polite"


def test_markets_are_all_there_with_few_rows_in_the_page_and_none_of_them_blank(shown: OpenPage) -> None:
    page = shown.go("markets")
    shown.until("() => Number(document.querySelector('[role=table]').getAttribute('aria-rowcount')) > 1500")
    worst = page.evaluate(_JUMPS)
    assert worst["rows"] < 80
    assert worst["blank"] == 0
    assert worst["uncovered"] == 0
    assert page.evaluate("document.querySelectorAll('.virtual .market-row').length") >= 10
    shown.was_quiet()


_JUMPS = """async () => {
  const list = document.querySelector('.virtual');
  const worst = { rows: 0, blank: 0, uncovered: 0 };
  let seed = 7;
  for (let jump = 0; jump < 200; jump += 1) {
    seed = (seed * 16807) % 2147483647;
    list.scrollTop = (seed / 2147483647) * (list.scrollHeight - list.clientHeight);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const rows = [...list.querySelectorAll('.market-row')];
    const frame = list.getBoundingClientRect();
    const seen = rows.map(row => row.getBoundingClientRect())
      .map(box => Math.min(box.bottom, frame.bottom) - Math.max(box.top, frame.top)).filter(height => height > 0);
    worst.rows = Math.max(worst.rows, rows.length);
    worst.blank += rows.filter(row => !row.textContent.includes('/')).length;
    if (seen.reduce((sum, height) => sum + height, 0) < list.clientHeight - 2) worst.uncovered += 1;
  }
  return worst;
}"""


def test_what_is_typed_stays_and_keeps_the_focus_while_prices_move(shown: OpenPage) -> None:
    page = shown.go("markets")
    page.keyboard.press("/")
    page.keyboard.type("btc/u", delay=150)
    assert page.evaluate("document.activeElement.type") == "search"
    shown.until("() => Number(document.querySelector('[role=table]').getAttribute('aria-rowcount')) < 20")
    assert "BTC/USD" in shown.text(".virtual")
    page.keyboard.press("Escape")


def test_a_button_keeps_the_focus_while_the_first_screen_is_told_anew(shown: OpenPage) -> None:
    page = shown.go()
    page.focus("#accounts tbody th a")
    where = page.evaluate("document.activeElement.getAttribute('href')")
    before = page.inner_text("#accounts")
    shown.until("before => document.getElementById('accounts').innerText !== before", before)
    assert page.evaluate("document.activeElement.getAttribute('href')") == where


def test_candles_keep_their_height_however_far_the_levels_are(shown: OpenPage) -> None:
    page = shown.go("markets/BTC-USD")
    shown.until("() => document.querySelectorAll('svg g.up, svg g.down').length > 20")
    height = page.evaluate(
        """() => { const bars = [...document.querySelector('svg:has(g.up)').querySelectorAll('g')];
             const boxes = bars.map(one => one.getBoundingClientRect());
             return Math.max(...boxes.map(box => box.bottom)) - Math.min(...boxes.map(box => box.top)); }"""
    )
    assert height > 100


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("tablet", TABLET), ("desktop", DESKTOP)])
def test_the_first_screen_can_be_looked_at_in_every_size(
    bot: BotProcess, browser: Browser, name: str, size: tuple[int, int]
) -> None:
    for scheme in ("light", "dark"):
        with OpenPage(browser, url_of(bot), size=size, scheme=scheme) as opened:
            page = opened.go()
            opened.until(_TRADING)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            kept = os.environ.get("NIJA_SCREENSHOTS")
            if kept:
                Path(kept).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=f"{kept}/first-screen-{name}-{scheme}.png")
            opened.was_quiet()


def test_by_keyboard_alone_everything_is_stopped_within_a_second_and_goes_on_again(shown: OpenPage) -> None:
    page = shown.go()
    press = page.keyboard.press
    press("s")
    _tab_to(press, shown, "Stop all entries")
    press("Enter")
    shown.until("() => document.querySelector('dialog[open] input[name=by]')")
    _tab_to(press, shown, "Go on…")
    press("Enter")
    shown.until("() => document.activeElement.textContent === 'Stop all of it'")
    assert "No entry leaves any more for everything" in shown.text("dialog")
    begun = time.monotonic()
    press("Enter")
    shown.until("() => document.getElementById('word').dataset.state === 'stopped'")
    # A second on a quiet machine; a busy one is given more, and the benchmark says how long it takes.
    assert time.monotonic() - begun < 10
    shown.until("() => /Done\\./.test(document.querySelector('dialog').innerText)")
    press("Escape")
    shown.until("() => document.querySelector('main h1')?.textContent === 'Stopped'")
    assert "page:local" in shown.text(".gate")
    page.click("main button:has-text('Let it go on')")
    page.click("dialog button:has-text('Go on…')")
    page.click("dialog button:has-text('Let it go on')")
    shown.until(_TRADING)
    page.click("dialog button:has-text('Close')")
    assert "kill everything" in shown.go("controls").inner_text("main")
    shown.was_quiet()


def test_selling_now_says_what_would_be_sold_and_afterwards_what_was(shown: OpenPage) -> None:
    page = shown.go("account/daivon_frazier_kraken")
    page.click("main button:has-text('Sell all…')")
    page.click("dialog button:has-text('Go on…')")
    shown.until("() => /Sold at the market: /.test(document.querySelector('dialog').innerText)")
    page.click("dialog button:has-text('Stop, and sell it now')")
    shown.until("() => /Done\\.|did not work/.test(document.querySelector('dialog').innerText)")
    assert "Done." in shown.text("dialog")
    assert re.search(r"sold", shown.text("dialog"), re.IGNORECASE)
    page.click("dialog button:has-text('Close')")
    shown.until("() => /Nothing is held/.test(document.querySelector('main').innerText)")
    shown.was_quiet()


def _tab_to(press: Callable[[str], None], shown: OpenPage, name: str) -> None:
    for _ in range(20):
        if shown.page.evaluate("document.activeElement.textContent") == name:
            return
        press("Tab")
    raise AssertionError(f"{name!r} cannot be reached by the Tab key")
