import contextlib
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

import visitor
from service import PATIENCE_S, Clock, Service
from visitor import Visitor

expect.set_options(timeout=PATIENCE_S * 1000)

# Colours on their way from one to another are no finding.
USUAL = {"ignore_https_errors": True, "viewport": {"width": 1280, "height": 860}, "reduced_motion": "reduce"}


# Pages that a test answers for itself count as the internet's, which Chromium keeps away from this machine's own addresses.
OPTIONS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]


@pytest.fixture(scope="session")
def launch():
    """Starts browsers: launch("--option")."""
    path = shutil.which("chromium")
    assert path, "the pages are tested in Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        yield lambda *options: playwright.chromium.launch(executable_path=path, args=[*OPTIONS, *options])


@pytest.fixture(scope="session")
def chromium(launch):
    with contextlib.closing(launch()) as browser:
        yield browser


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts services: start(LOGIN_ATTEMPTS=1)."""
    running = []

    def start_one(**settings):
        running.append(Service(tmp_path_factory.mktemp("doorward"), **settings).start())
        return running[-1]

    yield start_one
    for service in running:
        service.stop()


@pytest.fixture
def clock(tmp_path):
    """Of a service of the test's own: start(**clock.settings)."""
    return Clock(tmp_path)


@pytest.fixture(scope="session")
def service(start):
    """The one that most tests visit, each with an account of its own."""
    service = start()
    with service.client() as client:
        if not visitor.DIST and client.get("/app/").status_code == 404:
            pytest.skip("this doorward was built without its pages (-Dweb=disabled)")
    return service


@pytest.fixture
def browser(chromium):
    """Browsers with nothing in them: browser() is one, in which tabs share cookies and storage."""
    with contextlib.ExitStack() as open_ones:
        def new(**options):
            context = chromium.new_context(**{**USUAL, **options})
            open_ones.callback(context.close)
            context.set_default_timeout(PATIENCE_S * 1000)
            return context
        yield new


@pytest.fixture
def visit(browser, service):
    """visit() is a new tab in a new browser at the shared service; visit(at=..., tab_of=visitor) elsewhere, beside another."""
    visitors = []

    def new(at=None, tab_of=None, url=None, api=None, **options):
        at = at or (tab_of.service if tab_of else service)
        page = (tab_of.page.context if tab_of else browser(**options)).new_page()
        if visitor.DIST and not url:
            visitor.serve_pages(page, at, at.url)
        visitors.append(Visitor(page, at, url, api))
        return visitors[-1]

    yield new
    for one in visitors:
        one.check()


@pytest.fixture
def name(service):
    return service.register()["username"]


@pytest.fixture
def member(visit, name):
    """Logged in, on the profile page."""
    one = visit().open()
    one.name = name
    return one.log_in(name).is_in()
