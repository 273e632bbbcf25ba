"""Gateways ask /verify before each request: the real ones, with the files of deploy/examples as they stand."""
import posixpath
import socket
import urllib.parse

import pytest

from gateways import Gateway, Upstream
from service import PATIENCE_S, Service, bearer, claims_of, free_port, read_answer, wait_until

IDENTITY = ("x-auth-user", "x-auth-username", "x-auth-session", "x-auth-roles")


@pytest.fixture(scope="module")
def service(request, tmp_path_factory):
    """With a token that has expired: made by a first process, whose tokens live a second."""
    running = Service(tmp_path_factory.mktemp("doorward"), VERIFY_COOKIE="access", JWT_EXPIRY=1, JWT_LEEWAY=0,
                      METRICS_PORT=free_port())
    request.addfinalizer(running.stop)
    running.start()
    running.expired = running.newcomer()[1]
    with running.client() as client:
        wait_until(lambda: client.get("/verify", headers=bearer(running.expired)).status_code == 401, "the expiry")
    running.settings["JWT_EXPIRY"] = "3600"
    yield running.restart()
    assert running.stop() == 0


@pytest.fixture(scope="module")
def upstream():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module", params=["nginx", "caddy", "traefik", "envoy"])
def gateway(request, tmp_path_factory, service, upstream):
    one = Gateway(request.param, tmp_path_factory.mktemp(request.param), service, upstream)
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture(scope="module")
def member(service):
    return service.newcomer()


@pytest.fixture(scope="module")
def admin(service):
    name = service.register()["username"]
    service.cli("user", "role", name, "editor", "admin")
    return name, service.login(name)


def identity(seen):
    """What the upstream was told of the caller, under any spelling that CGI would take for ours."""
    told = {}
    for name, value in seen["headers"]:
        if name.replace("_", "-").startswith("x-auth"):
            assert name not in told, seen
            told[name] = value
    return told


def is_refused(answer, seen, code):
    assert answer.status_code == 401 and seen is None
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer") and ("error=" in challenge) == (code != "missing_token")


def test_a_good_token_reaches_the_service_with_its_user_in_headers(gateway, admin):
    name, tokens = admin
    answer, seen = gateway.ask("GET", "/some/path?x=1&y=%25", headers=bearer(tokens))
    assert answer.status_code == 200 and answer.json() == seen
    assert (seen["method"], seen["path"]) == ("GET", "/some/path?x=1&y=%25")
    claims = claims_of(tokens["access_token"])
    assert identity(seen) == {"x-auth-user": claims["sub"], "x-auth-username": name, "x-auth-session": claims["sid"],
                              "x-auth-roles": "editor,admin"}


@pytest.mark.parametrize("value", [None, "Basic YTpi", ""])
def test_a_request_without_a_token_is_told_to_bring_one(gateway, value):
    answer, seen = gateway.ask(headers={} if value is None else {"Authorization": value})
    is_refused(answer, seen, "missing_token")


@pytest.mark.parametrize("value", ["Bearer a.b.c", "Bearer", "Bearer a b"])
def test_junk_is_refused(gateway, value):
    is_refused(*gateway.ask(headers={"Authorization": value}), "invalid_token")


def test_an_expired_token_is_refused(gateway, service):
    is_refused(*gateway.ask(headers=bearer(service.expired)), "token_expired")


def test_a_logout_holds_at_the_gateway_at_once(gateway, service):
    _, tokens = service.newcomer()
    assert gateway.ask(headers=bearer(tokens))[0].status_code == 200
    with service.client() as client:
        assert client.post("/logout", headers=bearer(tokens)).status_code == 204
    is_refused(*gateway.ask(headers=bearer(tokens)), "token_revoked")


def test_a_role_is_asked_for_where_the_example_says(gateway, member, admin):
    answer, seen = gateway.ask("GET", "/admin/users", headers=bearer(member[1]))
    assert answer.status_code == 403 and seen is None
    answer, seen = gateway.ask("GET", "/admin/users", headers=bearer(admin[1]))
    assert answer.status_code == 200 and seen["path"] == "/admin/users"
    is_refused(*gateway.ask("GET", "/admin/users"), "missing_token")


@pytest.mark.parametrize("query", ["role=editor", "x=1&role=editor", "role=admin", "&role=editor&"])
def test_a_client_does_not_choose_the_roles_itself(gateway, service, query):
    name = service.register()["username"]
    service.cli("user", "role", name, "editor", "administrator", "not-admin", "admin2")
    answer, seen = gateway.ask("GET", f"/admin/users?{query}", headers=bearer(service.login(name)))
    assert answer.status_code == 403 and seen is None


@pytest.mark.parametrize("path", ["//admin/x", "/./admin/x", "/x/../admin/x", "/%61dmin/x", "/admin%2fx", "/admin", "/admin?",
                                  "/x/%2e%2e/admin/x", "/x/..%2fadmin/x", "/x/..%2Fadmin/x", "/ADMIN%2f..%2fadmin/x"])
def test_no_spelling_of_a_path_gets_around_its_role(gateway, member, path):
    """Sent by hand, since clients tidy paths up. Where a service could take it for /admin/, it must not arrive."""
    before = len(gateway.upstream.seen)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {member[1]['access_token']}\r\n"
                           "Connection: close\r\n\r\n".encode())
        status, headers, _, _ = read_answer(connection)
    for seen in gateway.upstream.seen[before:]:
        plain = posixpath.normpath(urllib.parse.unquote(seen["path"].split("?")[0]))
        assert not ("/" + plain.lstrip("/") + "/").startswith("/admin/"), seen["path"]
        assert status == 200


@pytest.mark.parametrize("who", ["member", None])
def test_what_a_client_says_of_itself_never_arrives(gateway, member, who):
    spoofed = [(name, "spoofed") for ours in IDENTITY for name in (ours, ours.upper(), ours.replace("-", "_"))]
    sent = spoofed + (list(bearer(member[1]).items()) if who else [])
    answer, seen = gateway.ask("POST", "/x", headers=sent, content=b"body")
    if not who:
        is_refused(answer, seen, "missing_token")
        return
    if seen is None:  # a refusal is right as well
        assert answer.status_code == 400
        return
    told = identity(seen)
    assert "spoofed" not in str(told) and told["x-auth-username"] == member[0]
    assert not any("_" in name for name in told) and not told.get("x-auth-roles")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_is_let_through_with_its_body_or_refused(gateway, member, method):
    body = b"a body" * 1000 if method in ("POST", "PUT", "PATCH") else None
    answer, seen = gateway.ask(method, "/deep/er/path", headers=bearer(member[1]), content=body)
    assert answer.status_code == 200 and (seen["method"], seen["path"]) == (method, "/deep/er/path")
    assert seen["body"] == (body or b"").decode() and identity(seen)["x-auth-username"] == member[0]
    is_refused(*gateway.ask(method, "/deep/er/path", content=body), "missing_token")


def test_a_body_in_chunks_and_an_expectation_do_not_confuse_the_question(gateway, member):
    for _ in range(3):  # on the connections that the gateway keeps
        answer, seen = gateway.ask("POST", "/x", headers=bearer(member[1]), content=(b"piece" for _ in range(5)))
        assert answer.status_code == 200 and seen["body"] == "piece" * 5
        answer, seen = gateway.ask("PUT", "/x", headers={**bearer(member[1]), "Expect": "100-continue"}, content=b"body")
        assert answer.status_code == 200 and seen["body"] == "body"


def test_the_cookie_serves_and_the_header_wins_over_it(gateway, member, admin):
    cookie = {"Cookie": f"theme=dark; access={member[1]['access_token']}"}
    answer, seen = gateway.ask(headers=cookie)
    assert answer.status_code == 200 and identity(seen)["x-auth-username"] == member[0]
    _, seen = gateway.ask(headers={**cookie, **bearer(admin[1])})
    assert identity(seen)["x-auth-username"] == admin[0]
    is_refused(*gateway.ask(headers={**cookie, "Authorization": "Bearer a.b.c"}), "invalid_token")
    is_refused(*gateway.ask(headers={"Cookie": "access=junk"}), "invalid_token")


def test_two_authorizations_are_not_let_through(gateway, member, admin):
    sent = [*bearer(member[1]).items(), *bearer(admin[1]).items()]
    answer, seen = gateway.ask("GET", "/admin/x", headers=sent)
    assert answer.status_code >= 400 and seen is None


@pytest.mark.parametrize("path", ["/_doorward/any", "/_doorward/admin", "/verify"])
def test_the_question_itself_is_not_open_to_clients(gateway, member, path):
    answer, seen = gateway.ask("GET", path, headers=bearer(member[1]))
    assert answer.status_code == 404 or seen["path"] == path
    assert "x-auth-user" not in answer.headers


def handshakes(service):
    return sum(float(line.split()[-1]) for line in service.metrics().splitlines() if line.startswith("doorward_tls_handshakes_total{"))


def test_the_question_is_asked_on_connections_that_are_kept(gateway, service, member):
    before = handshakes(service)
    for _ in range(10):
        assert gateway.ask(headers=bearer(member[1]))[0].status_code == 200
        assert gateway.ask("POST", "/x", content=b"body")[0].status_code == 401
        assert gateway.ask("GET", "/admin/x", headers=bearer(member[1]))[0].status_code == 403
    assert handshakes(service) - before < 10


def test_while_doorward_is_down_nobody_comes_through(gateway, service, member):
    service.stop()
    try:
        answer, seen = gateway.ask(headers=bearer(member[1]))
        assert answer.status_code >= 500 and seen is None
    finally:
        service.start()
    assert gateway.ask(headers=bearer(member[1]))[0].status_code == 200
