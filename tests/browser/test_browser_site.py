"""The site as a reader has it: built without network, opened page by page in Chromium."""

import functools
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import polib
import pytest
from lab import ROOT
from looks import broken_media, faint_texts
from playwright.sync_api import Browser, Page, expect

from tools.notebooks import colab, series, solutions, tag

REPOSITORY = "owner/name"
NARROW = {"width": 360, "height": 800}
WIDE = {"width": 1440, "height": 900}
PLAIN = {"genindex.html", "search.html"}  # pages that Sphinx makes by itself: they have no neighbours

PLAY = """async sounds => {
    const silent = [];
    for (const sound of sounds) {
        sound.muted = true;  // a page may play unasked only what nobody hears
        await sound.play().catch(error => silent.push(String(error)));
        const deadline = performance.now() + 5000;
        while (sound.currentTime < 0.05 && !sound.ended && performance.now() < deadline)
            await new Promise(done => setTimeout(done, 20));
        if (!(sound.duration > 0 && sound.currentTime > 0)) silent.push(`at ${sound.currentTime} of ${sound.duration}`);
        sound.pause();
    }
    return silent;
}"""

# What makes a reader scroll sideways: the page, or a part of it that is neither code nor table, or what is cut off.
WIDER = """() => {
    const width = document.documentElement.clientWidth;
    const own = "pre, .table-wrapper, math, .sidebar-drawer, .toc-drawer, .toc-drawer *, .sidebar-drawer *";
    const flaws = [];
    for (const one of document.querySelectorAll("html, body, body *")) {
        const style = getComputedStyle(one);
        const scrolls = one.scrollWidth > one.clientWidth + 1 && ["auto", "scroll", "hidden"].includes(style.overflowX);
        const cut = one.getBoundingClientRect().right > width + 1 && one.checkVisibility();
        if (one.closest(own) || one.closest(".visually-hidden") || style.position === "fixed") continue;
        if (cut || (scrolls && one.clientWidth)) flaws.push(`${one.scrollWidth}: ${one.outerHTML.slice(0, 120)}`);
    }
    return flaws.slice(0, 5);
}"""


class Html(HTMLParser):
    """What the tests ask of a page's text: its title, language, ids, links, pictures."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.images, self.rel = set(), [], [], {}
        self.title = self.language = ""
        self._inside_title = self._inside_drawing = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, name, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        self._inside_drawing |= name == "svg"
        self._inside_title = name == "title" and not self._inside_drawing
        if name == "html":
            self.language = values.get("lang")
        elif name == "a" and "href" in values:
            self.links.append(values["href"])
        elif name == "img":
            self.images.append(values)
        elif name == "link":
            self.rel[values.get("rel")] = values.get("href")

    def handle_endtag(self, name):
        if name == "svg":
            self._inside_drawing = False
        self._inside_title = False

    def handle_data(self, data):
        if self._inside_title:
            self.title += data


@dataclass
class Visit:
    """What was seen when a page was opened."""

    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    wider: list[str] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    sounds: int = 0
    silent: list[str] = field(default_factory=list)
    faint: dict[str, list[str]] = field(default_factory=dict)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Writes nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the site, built as `make site` builds it, in a process that has no network."""
    folder = tmp_path_factory.mktemp("site") / "made"
    command = [sys.executable, str(ROOT / "site" / "build.py"), "--output", str(folder)]
    environment = os.environ | {"GITHUB_REPOSITORY": REPOSITORY}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def names(site) -> list[str]:
    """The pages, as their addresses end: `notebooks/03_collation.html`."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@pytest.fixture(scope="module")
def html(site, names) -> dict[str, Html]:
    return {name: Html(site / name) for name in names}


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def visits(browser: Browser, address, names) -> dict[str, Visit]:
    """Every page opened once, at the width of a telephone, its folds open, in light and in dark."""
    found = {}
    with browser.new_context(viewport=NARROW, color_scheme="light") as context:
        for name in names:
            page = context.new_page()
            found[name] = _visit(page, address, name)
            page.close()
    return found


def _visit(page: Page, address: str, name: str) -> Visit:
    visit = Visit()
    page.on("console", lambda message: message.type == "error" and visit.errors.append(message.text))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on(
        "request", lambda request: request.url.startswith((address, "data:")) or visit.elsewhere.append(request.url)
    )
    page.goto(address + name, wait_until="load")
    page.evaluate("() => document.querySelectorAll('details').forEach(fold => fold.open = true)")
    visit.wider = page.evaluate(WIDER)
    body, sounds = page.locator("body"), page.locator("audio")
    visit.media = broken_media(body)
    visit.sounds = sounds.count()
    visit.silent = sounds.evaluate_all(PLAY)
    visit.faint["light"] = faint_texts(body)
    page.emulate_media(color_scheme="dark")
    visit.faint["dark"] = faint_texts(body)
    return visit


def of(visits: dict[str, Visit], what: str) -> dict[str, list[str]]:
    """The pages at which something was seen, with what."""
    return {name: getattr(visit, what) for name, visit in visits.items() if getattr(visit, what)}


def test_every_notebook_and_every_module_has_its_page(site, html):
    assert {f"notebooks/{path.stem}.html" for path in series()} <= set(html)
    ids = set().union(*(page.ids for name, page in html.items() if name.startswith("reference/")))
    package = ROOT / "asr_helpers"
    for path in package.glob("*.py"):
        if path.stem not in ("__init__", "__main__"):
            assert f"module-asr_helpers.{path.stem}" in ids, path.stem
    for name in ("asr_helpers.AsrError", "asr_helpers.evaluation.score", "asr_helpers.widgets.clip_view"):
        assert name in ids


def test_pages_open_without_an_error(visits):
    assert of(visits, "errors") == {}


def test_pages_ask_no_other_host(visits):
    assert of(visits, "elsewhere") == {}


def test_no_page_scrolls_sideways_on_a_telephone(visits):
    assert of(visits, "wider") == {}


def test_pictures_show_and_say_in_words_what_they_are(visits, html):
    assert of(visits, "media") == {}
    for name, page in html.items():
        for image in page.images:
            assert len(image.get("alt", "")) > 20, (name, image)


def test_the_pictures_that_are_described_are_there():
    described = tomllib.loads((ROOT / "site" / "pictures.toml").read_text(encoding="utf-8"))
    drawn = {
        (path.stem, cell.id)
        for path in series()
        for cell in nbformat.read(path, as_version=4).cells
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    }
    assert {(notebook, cell) for notebook, cells in described.items() for cell in cells} <= drawn


def test_every_player_plays(visits):
    assert of(visits, "silent") == {}
    for path in series():
        stored = sum(
            "<audio" in output.get("data", {}).get("text/html", "")
            for cell in nbformat.read(path, as_version=4).cells
            for output in cell.get("outputs", [])
        )
        assert visits[f"notebooks/{path.stem}.html"].sounds == stored, path.name
    assert sum(visit.sounds for visit in visits.values()) >= 5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_text_is_faint(visits, theme):
    assert {name: visit.faint[theme][:5] for name, visit in visits.items() if visit.faint[theme]} == {}


def edition(name: str) -> str:
    """The language of an edition's page, by its folder; "" for a page of the English site."""
    folder = name.partition("/")[0]
    return folder if folder in ("ja", "ko", "ar") else ""


def test_titles_and_language(html):
    titles = [page.title.strip() for page in html.values()]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    assert {name: page.language for name, page in html.items()} == {name: edition(name) or "en" for name in html}


def test_the_theme_speaks_the_editions_language(site):
    catalogues = sorted((ROOT / "site" / "locale").glob("*/LC_MESSAGES/sphinx.po"))
    assert catalogues
    for catalogue in catalogues:
        words = "|".join(re.escape(entry.msgid.partition("%")[0].strip()) for entry in polib.pofile(catalogue))
        english = re.compile(rf'(?:>|aria-label="|title=")\s*({words})\s*[^<"]*[<"]')
        for page in (site / catalogue.parts[-3]).rglob("*.html"):
            frame = re.sub(r"<article.*</article>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert english.findall(frame) == [], page


def test_no_page_says_that_it_shows_only_a_views_name(site):
    remarks = {
        entry.msgstr.rstrip(")）")[-16:]
        for catalogue in (ROOT / "notebooks" / "locale").glob("*/??_*.po")
        for entry in polib.pofile(catalogue)
        if re.search(r"shows only (its|the view's) name\.\)$", entry.msgid)
    } | {"shows only its name.", "shows only the view"}
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("notebooks/*.html")}
    assert [(page, remark) for page, text in pages.items() for remark in remarks if remark in text] == []


@pytest.mark.parametrize("language", ["", "ja", "ko", "ar"])
def test_the_search_page_is_there_in_the_other_languages(html, language):
    name = f"{language}/search.html".lstrip("/")
    linked = {urljoin(f"/{name}", link).lstrip("/") for link in html[name].links}
    assert {"search.html", "ja/search.html", "ko/search.html", "ar/search.html"} - {name} <= linked


def test_links_within_the_site_lead_somewhere(site, html):
    broken = []
    for name, page in html.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            target = urlsplit(urljoin(f"/{name}", link))
            path = unquote(target.path).lstrip("/") or "index.html"
            anchor = unquote(target.fragment)
            if not (site / path).is_file() or (anchor and path in html and anchor not in html[path].ids):
                broken.append((name, link))
    assert broken == []


@pytest.mark.parametrize("language", ["", "ja", "ko", "ar"])
def test_next_and_previous_lead_through_every_page(html, language):
    folder = language and f"{language}/"
    chain, name = [], f"{folder}index.html"
    while name:
        chain.append(name)
        assert len(chain) <= len(html), chain
        following = html[name].rel.get("next")
        following = following and urljoin(f"/{name}", following).lstrip("/")
        if following:
            assert urljoin(f"/{following}", html[following].rel["prev"]).lstrip("/") == name
        name = following
    plain = {f"{folder}{name}" for name in PLAIN}
    assert set(chain) == {name for name in html if edition(name) == language} - plain
    notebooks = [f"{folder}notebooks/{path.stem}.html" for path in series()]
    assert chain[1 : len(notebooks) + 1] == notebooks


def test_each_notebook_can_be_opened_in_colab_and_downloaded(site, html):
    for path in series():
        links = html[f"notebooks/{path.stem}.html"].links
        assert colab(path.name, REPOSITORY, tag()) in links
        assert f"../downloads/{path.name}" in links
        ours, downloaded = (nbformat.read(file, as_version=4) for file in (path, site / "downloads" / path.name))
        assert [cell.id for cell in ours.cells] == [cell.id for cell in downloaded.cells]
        setup = next(cell.source for cell in downloaded.cells if cell.id == "setup")
        assert f"git+https://github.com/{REPOSITORY}@{tag()}" in setup  # so that it runs on Colab


def test_without_an_address_there_is_the_download_alone(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "site")
    from pages import links
    from words import Words

    line = links([], "03_collation.ipynb", "", Words("en"))
    assert "downloads/03_collation.ipynb" in line
    assert "olab.research" not in line


def test_solutions_are_folded_and_highlighted(browser, address):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        for path in series():
            page.goto(f"{address}notebooks/{path.stem}.html")
            wanted = sum(len(solutions(cell)) for cell in nbformat.read(path, as_version=4).cells)
            folds = page.locator("article details").filter(has=page.get_by_text("Solution", exact=True))
            code = folds.locator(".highlight-python pre")
            assert code.count() == wanted > 0
            assert not any(code.nth(number).is_visible() for number in range(wanted))
            folds.first.locator("summary").click()
            expect(code.first).to_be_visible()
            assert code.first.locator("span[class]").count() > 5


def test_views_say_that_they_need_a_notebook_that_runs(browser, address):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto(f"{address}notebooks/01_loading.html")
        note = page.locator(".view-note")
        expect(note).to_have_count(1)
        expect(note).to_contain_text("where the notebook runs")
        note.get_by_role("link", name="clip_view").click()
        expect(page.locator("[id='asr_helpers.widgets.clip_view']")).to_be_visible()


def test_formulas_are_set(browser, address):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto(f"{address}reference/evaluation.html")
        fraction = page.locator("math mfrac").first
        expect(fraction).to_be_visible()
        above, below = (fraction.locator(":scope > *").nth(part).bounding_box() for part in (0, 1))
        assert above["y"] + above["height"] <= below["y"] + 2  # a fraction, not letters in a row


def test_search_finds_a_word(browser, address):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        errors = []
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(f"{address}index.html")
        page.get_by_role("textbox", name="Search").fill("spectrogram")
        page.keyboard.press("Enter")
        results = page.locator("#search-results li a")
        expect(results.filter(has_text="Start here").first).to_be_visible()
        results.filter(has_text="Start here").first.click()
        expect(page.locator("h1")).to_contain_text("Start here")
        assert errors == []


def test_the_frame_of_an_arabic_page_has_no_english_word(site, browser, address):
    told = polib.pofile(str(ROOT / "site" / "locale" / "ar" / "LC_MESSAGES" / "sphinx.po"))
    frame = (
        "body > svg, body > input, .sidebar-drawer, .skip-to-content, .mobile-header, .back-to-top, .headerlink, "
        ".content-icon-container, .toc-title, .related-pages, .bottom-of-page, .languages"
    )
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        for name in ("index", "notebooks/06_inference", "search"):
            page.goto(f"{address}ar/{name}.html")
            drawn = page.locator(frame).evaluate_all("parts => parts.map(part => part.outerHTML).join('\\n')")
            assert "مؤلفو" in drawn  # the page's last line
            for entry in told:
                word = entry.msgid.split("&")[0].strip()
                assert not re.search(rf"(>\s*|=\"){re.escape(word)}\b", drawn), f"{name}: {word}"
        page.goto(f"{address}ar/search.html?q=zzzz")
        expect(page.locator(".search-summary")).to_contain_text("لم توجد صفحة")


@pytest.mark.parametrize("typed", ["متعرف", "متعرِّف"])
def test_the_arabic_search_asks_for_no_vowel_mark(browser, address, typed):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto(f"{address}ar/search.html?q={typed}")
        expect(page.locator("#search-results li a").filter(has_text="06 ·").first).to_be_visible()


def test_the_theme_can_be_chosen(browser, address):
    with browser.new_context(viewport=WIDE, color_scheme="light") as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        colour = "() => getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(colour)
        for _ in range(3):  # auto, light, dark
            page.locator(".theme-toggle-content .theme-toggle").click()
            if page.evaluate(colour) != light:
                break
        assert page.evaluate(colour) != light
        page.goto(f"{address}notebooks/00_start_here.html")
        assert page.evaluate(colour) != light  # the next page keeps it


def test_a_page_opens_from_the_disk(site, browser):
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        errors = []
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto((site / "notebooks" / "00_start_here.html").as_uri())
        assert page.locator("audio").evaluate_all(PLAY) == []
        assert errors == []
