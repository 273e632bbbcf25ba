"""Every page in both themes, on a desk and on a phone: axe finds nothing, nothing sticks out, and a picture is kept to look at.

The pictures are in build-web/screenshots, which git ignores."""
import itertools

import pytest
from playwright.sync_api import expect

from service import PASSWORD, ROOT, unique_name

PICTURES = ROOT / "build-web" / "screenshots"
SCREENS = {"desk": {"width": 1280, "height": 860}, "phone": {"width": 360, "height": 740}}
AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "backup-job/2.1 (nightly)",
]


def outside(one, page):
    one.open(page)


def with_errors(one, _):
    one.open("/register").fill(username="a b", email="nobody", password="short").press("Make an account")
    one.says_at("username", "Username ")


def refused(one, _):
    one.open("/login").log_in("nobody", "nothing of this").alert("do not belong together")


def inside(one, page):
    name = one.service.register(email=f"{unique_name()}@example.org")["username"]
    for agent in AGENTS:
        with one.service.client(headers={"User-Agent": agent}) as client:
            client.post("/login", json={"username": name, "password": PASSWORD})
    one.open(page).log_in(name)


def away(one, _):
    for path in ("/login", "/healthz"):
        one.page.route(one.service.url + path, lambda route: route.abort())
    one.open("/login").log_in("ann", PASSWORD).sees("No answer from")


PAGES = {
    "login": (outside, "/login", "Log in"),
    "login-refused": (refused, "", "Log in"),
    "login-away": (away, "", "Log in"),
    "register": (outside, "/register", "Register"),
    "register-errors": (with_errors, "", "Register"),
    "profile": (inside, "/profile", "Profile"),
    "sessions": (inside, "/sessions", "Sessions"),
    "password": (inside, "/password", "Password"),
    "delete": (inside, "/delete", "Delete account"),
    "nothing": (outside, "/nowhere", "Nothing here"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_everybody(visit, page):
    go, path, heading = PAGES[page]
    one = visit()
    go(one, path)
    one.heading(heading)
    expect(one.page.locator("[aria-busy=true]")).to_have_count(0)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for theme, screen in itertools.product(["light", "dark"], SCREENS):
        one.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        one.page.set_viewport_size(SCREENS[screen])
        one.page.screenshot(path=PICTURES / f"{page}-{theme}-{screen}.png", full_page=True)
        one.axe()
        assert one.page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["width"], "it scrolls sideways"


def test_the_theme_is_the_systems_until_the_button_says_otherwise_and_is_kept(visit):
    one = visit(color_scheme="dark").open().heading("Log in").press("Use the light theme")
    one.axe()
    one.page.reload()
    expect(one.button("Use the dark theme")).to_be_visible()
    assert one.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
