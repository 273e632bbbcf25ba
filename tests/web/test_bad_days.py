"""Services that are busy, away, elsewhere or not Doorward: the page says so in words, loses nothing, and goes on by itself."""
import base64
import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import sqlite3
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import expect

from service import free_port
from visitor import DIST, Visitor, serve_pages


@contextlib.contextmanager
def locked_store(service):
    """Every change is answered 503 until this ends."""
    store = sqlite3.connect(service.directory / "var" / "doorward.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        store.execute("ROLLBACK")
        store.close()


@pytest.fixture
def own(start, service):
    """A service that nobody else visits; `service` has said whether there are pages."""
    return start(STORE_DEADLINE_MS=1000)


@pytest.fixture
def own_name(own):
    return own.register()["username"]


def test_a_login_that_is_503_waits_as_told_and_then_succeeds(visit, own, own_name):
    one = visit(at=own)
    one.page.clock.install()
    one.open().heading("Log in")
    with locked_store(own):
        one.log_in(own_name).alert("Doorward cannot reach its data just now. You can try again in")
        expect(one.button("Log in")).to_have_attribute("aria-disabled", "true")
    one.page.clock.run_for(60_000)
    one.alert("You can try again now.").press("Log in").is_in()


def test_a_refresh_that_is_503_is_waited_out_and_nobody_is_logged_out(visit, own, own_name):
    one = visit(at=own).open().log_in(own_name).is_in()
    with locked_store(own):
        one.page.reload()
        one.sees("Doorward is busy.").sees("You stay logged in.")
        expect(one.page.get_by_role("heading", name="Log in")).to_have_count(0)
    one.is_in().sees(own_name)


def test_a_service_that_restarts_under_the_page_is_noticed_and_nothing_is_lost(visit, own, own_name):
    one = visit(at=own).open().log_in(own_name).is_in()
    own.stop()
    one.page.get_by_role("link", name="Sessions").click()
    one.sees("No answer from").sees("This page fills itself once the service is back.")
    own.start()
    one.sees("Chrome on Linux")
    expect(one.page.get_by_text("No answer from")).to_have_count(0)


def test_a_service_that_was_killed_is_noticed_by_a_form_which_works_when_it_is_back(visit, own, own_name):
    one = visit(at=own).open().heading("Log in")
    own.kill()
    one.log_in(own_name).alert("There was no answer.").sees("No answer from")
    own.start()
    one.alert("The service is back. You can try again now.").press("Log in").is_in()


def test_a_page_that_opens_while_the_service_is_away_waits_for_it(visit, own, own_name):
    one = visit(at=own).open().log_in(own_name).is_in()
    for path in ("/refresh-token", "/healthz"):
        one.page.route(own.url + path, lambda route: route.abort())
    one.page.reload()
    one.sees("No answer from")
    for path in ("/refresh-token", "/healthz"):
        one.page.unroute(own.url + path)
    one.is_in()


# ---- pages that are not where the service is

@pytest.fixture
def elsewhere(service, visit):
    """Pages at an origin of their own on the service's site, for the API at that address."""
    def new(origin, api, at=service):
        one = visit(at=at, url=origin, api=api)
        serve_pages(one.page, service, origin, api)
        return one
    return new


def test_pages_of_an_allowed_origin_work_with_the_cookie(start, elsewhere):
    origin = f"https://127.0.0.1:{free_port()}"
    service = start(CORS_ORIGINS=origin)
    name = service.register()["username"]
    one = elsewhere(origin, service.url, service).open().log_in(name).is_in()
    one.page.reload()
    one.is_in().press("Log out").sees("You are logged out.")


def test_pages_of_another_origin_are_told_why_they_are_refused(service, elsewhere):
    origin = f"https://127.0.0.1:{free_port()}"
    one = elsewhere(origin, service.url).open()
    one.sees("does not accept this page").sees(f"not to pages from {origin}: its setting CORS_ORIGINS has to name them.")
    expect(one.page.get_by_role("button", name="Try now")).to_be_visible()


class Stranger(http.server.BaseHTTPRequestHandler):
    """Some other server, which lets pages of every origin in."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", self.headers["Origin"] or "*")
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>It works</h1>")

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def stranger(service, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(service.certificate, service.directory / "var" / "tls.key")
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Stranger) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_a_wrong_address_is_told_and_mends_itself_when_the_service_comes_there(start, service, elsewhere):
    origin, port = f"https://127.0.0.1:{free_port()}", free_port()
    one = elsewhere(origin, f"https://127.0.0.1:{port}").open()
    one.sees(f"No answer from 127.0.0.1:{port}").sees("its address may be wrong")
    with stranger(service, port):
        one.sees("This is not Doorward.").sees(f"Something else answers at 127.0.0.1:{port}.")
    start(PORT=port, CORS_ORIGINS=origin)
    one.heading("Log in")


def certificate(directory, days):
    """A key, a certificate of it that ends in so many days, and the name by which Chromium knows the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).add_extension(addresses, critical=False)
            .not_valid_before(now - datetime.timedelta(days=9)).not_valid_after(now + datetime.timedelta(days=days))
            .sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    directory.mkdir()
    (directory / "tls.crt").write_bytes(made.public_bytes(pem))
    (directory / "tls.key").write_bytes(private)
    (directory / "tls.key").chmod(0o600)
    return directory, base64.b64encode(hashlib.sha256(public).digest()).decode()


def use(service, directory):
    service.settings.update(TLS_CERT=str(directory / "tls.crt"), TLS_KEY=str(directory / "tls.key"))


def test_an_expired_certificate_is_told_and_forgotten_when_there_is_a_new_one(start, service, launch, tmp_path):
    good, pin = certificate(tmp_path / "good", days=9)
    expired, _ = certificate(tmp_path / "expired", days=-1)
    own = start(TLS_CERT=good / "tls.crt", TLS_KEY=good / "tls.key")
    name = own.register()["username"]
    with contextlib.closing(launch(f"--ignore-certificate-errors-spki-list={pin}")) as careful:
        one = Visitor(careful.new_page(), own)
        if DIST:
            serve_pages(one.page, own, own.url)
        one.open().log_in(name).is_in()
        own.stop()
        use(own, expired)
        own.lines.clear()
        own.launch()
        own.wait_for_event(event="listening")
        one.page.get_by_role("link", name="Sessions").click()
        one.sees("No answer from").sees("its certificate may have expired")
        own.stop()
        use(own, good)
        own.start()
        one.sees("Chrome on Linux")
        expect(one.page.get_by_text("No answer from")).to_have_count(0)


# ---- local storage instead of the cookie

def test_pages_that_keep_the_refresh_token_in_local_storage_survive_a_reload_and_forget_it_at_logout(service, visit, name):
    one = visit(url=service.url)
    serve_pages(one.page, service, service.url, keep="storage")
    one.open().log_in(name).is_in()
    assert one.page.context.cookies() == []
    one.page.reload()
    one.is_in().press("Log out").sees("You are logged out.")
    assert one.page.evaluate("Object.values(localStorage)") == []
