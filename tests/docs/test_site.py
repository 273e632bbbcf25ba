"""The documentation's site, as ./dev docs has just built it, in Chromium."""
import functools
import http.server
import pathlib
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / "build-docs"
PATIENCE_MS = 60_000
PAGES = sorted(page.name for page in SITE.glob("*.html") if page.name != "404.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        browser.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_else_and_draws_its_diagrams(chromium, address, name):
    page = chromium.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + name, wait_until="networkidle")
    assert page.locator("h1").count() == 1
    # Material puts each diagram into a closed shadow root: its element has a height once it is drawn.
    page.wait_for_function("count => [...document.querySelectorAll('div.mermaid')].filter(d => d.clientHeight > 100).length == count",
                           arg=(ROOT / "docs" / name).with_suffix(".md").read_text().count("```mermaid"))
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == [] and complaints == []


def test_the_search_finds_a_setting(chromium, address):
    page = chromium.new_page()
    page.goto(address + "index.html", wait_until="networkidle")
    box = page.get_by_role("textbox", name="Search")
    box.click()
    page.get_by_text("Type to start searching").wait_for()  # what it says once it has its index
    box.press_sequentially("REFRESH_GRACE")  # it listens to keys
    page.locator(".md-search-result__item").first.wait_for()
    page.close()
