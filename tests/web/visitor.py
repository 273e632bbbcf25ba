"""A person at a browser: what the pages show is found as people find it, by role and words."""
import json
import mimetypes
import os
import pathlib
import re

import httpx
from playwright.sync_api import expect

from service import PASSWORD, ROOT

# Pages from this directory instead of out of the service; they get the policy that web/README.md asks for.
DIST = os.environ.get("WEB_DIST")
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{api}; base-uri 'none'; "
          "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
AXE = (ROOT / "web/node_modules/axe-core/axe.min.js").read_text()
FOREIGN = "the page made requests of others"


class Visitor:
    """One tab. `url` is where the pages are, `service` what they talk to."""

    def __init__(self, page, service, url=None, api=None):
        self.page = page
        self.service = service
        self.api = api or service.url
        self.url = (url or service.url) + "/app"
        self.requests = []
        self.complaints = []
        page.on("request", self._requested)
        page.on("console", lambda message: self._complained(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _requested(self, request):
        self.requests.append(request.url)

    def _complained(self, text):
        if "Content Security Policy" in text or "Warning:" in text:
            self.complaints.append(text)

    def check(self):
        """After every test: no request went elsewhere, nothing broke the policy, no script failed."""
        own = (self.url.removesuffix("/app") + "/", self.api + "/")
        assert not [url for url in self.requests if not url.startswith(own)], FOREIGN
        assert not self.complaints, self.complaints

    # ---- going

    def open(self, path="/"):
        self.page.goto(self.url + path)
        return self

    def at(self, path):
        expect(self.page).to_have_url(re.compile(re.escape(self.url + path) + "$"))
        return self

    def sees(self, words):
        expect(self.page.get_by_text(words).first).to_be_visible()
        return self

    def heading(self, words):
        expect(self.page.get_by_role("heading", level=1, name=words)).to_be_visible()
        return self

    # ---- doing

    def field(self, label):
        return self.page.get_by_role("textbox", name=label)

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def fill(self, **values):
        for label, value in values.items():
            self.field(LABELS[label]).fill(value)
        return self

    def press(self, name):
        self.button(name).click()
        return self

    def log_in(self, name, password=PASSWORD):
        self.heading("Log in").fill(identifier=name, password=password)
        return self.press("Log in")

    def is_in(self):
        return self.heading("Profile")

    def says_at(self, label, words):
        """The error stands at the field, is part of what a screen reader says of it, and the focus is there."""
        field = self.field(LABELS[label])
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(words)))
        expect(field).to_be_focused()
        return self

    def alert(self, words):
        expect(self.page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        return self

    def axe(self):
        """What a program can tell of accessibility: nothing is to be found."""
        self.page.evaluate(AXE)
        result = self.page.evaluate("axe.run()")
        assert not result["violations"], json.dumps(result["violations"], indent=1)[:4000]


LABELS = {
    "identifier": "Username or e-mail",
    "username": "Username",
    "email": "E-mail",
    "password": re.compile("^Password"),
    "current_password": "Current password",
    "new_password": "New password",
}


def file_of(service, path):
    """A file of the pages: body and type. Unknown paths are the page itself, as the service does."""
    if not DIST:
        with httpx.Client(verify=service.tls()) as client:
            answer = client.get(service.url + path)
        return answer.content, answer.headers["content-type"]
    inside = path.removeprefix("/app").strip("/")
    file = pathlib.Path(DIST) / inside
    if inside == "" or not file.is_file():
        file = pathlib.Path(DIST) / "index.html"
    return file.read_bytes(), mimetypes.guess_type(file.name)[0]


def serve_pages(page, service, origin, api="", keep="cookie"):
    """Pages at `origin`, made to talk to the API there; the browser asks no server for them."""
    kept = {}

    def answer(route):
        path = route.request.url.removeprefix(origin).split("?")[0]
        if path not in kept:
            kept[path] = file_of(service, path)
        body, kind = kept[path]
        body = body.replace(b'name="doorward-api" content=""', f'name="doorward-api" content="{api}"'.encode())
        body = body.replace(b'name="doorward-keep" content="cookie"', f'name="doorward-keep" content="{keep}"'.encode())
        policy = POLICY.format(api=f" {api}" if api else "")
        route.fulfill(status=200, body=body, content_type=kind, headers={"Content-Security-Policy": policy})

    page.route(origin + "/app/**", answer)
