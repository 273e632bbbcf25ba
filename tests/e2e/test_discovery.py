"""Key set, discovery, health, metrics, the contract itself."""
import re

import httpx
import jwt
import pytest
import yaml

from service import PATIENCE_S, ROOT, bearer, check_conditional, free_port

SETTINGS = {"METRICS_PORT": free_port(), "PUBLIC_URL": "https://auth.example.org"}


def test_a_stock_library_verifies_our_tokens_with_the_key_set(client, newcomer):
    keys = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())
    token = newcomer[1]["access_token"]
    header = jwt.get_unverified_header(token)
    assert header["alg"] == "ES256" and header["typ"] == "at+jwt"
    claims = jwt.decode(token, keys[header["kid"]].key, algorithms=["ES256"], audience="doorward",
                        issuer="https://auth.example.org")
    assert claims["sub"]


def test_the_key_set_is_public_cacheable_and_answers_304(client):
    answer = client.get("/.well-known/jwks.json")
    assert answer.status_code == 200 and "max-age=600" in answer.headers["cache-control"]
    for key in answer.json()["keys"]:
        assert {"kty", "crv", "x", "y", "kid", "alg", "use"} == set(key)
    tag = answer.headers["etag"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get("/.well-known/jwks.json", headers={"If-None-Match": sent})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    assert client.get("/.well-known/jwks.json", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/openapi.yaml"])
def test_documents_answer_304_to_who_has_them(service, client, path):
    tag = client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
    check_conditional(service, path, tag)


def test_discovery_speaks_of_the_public_url_whatever_the_host_header_says(client):
    answer = client.get("/.well-known/openid-configuration",
                        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    body = answer.json()
    assert body["issuer"] == "https://auth.example.org"
    assert body["jwks_uri"] == "https://auth.example.org/.well-known/jwks.json"
    assert "evil" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/startupz"])
def test_health_is_told(client, path):
    answer = client.get(path)
    assert answer.status_code == 200 and answer.json()["status"] == "ok"


def test_readiness_names_its_checks(client):
    assert {"store", "keys", "revocations", "draining"} <= set(client.get("/readyz").json()["checks"])


def test_the_contract_is_served(client):
    answer = client.get("/openapi.yaml")
    assert answer.text == (ROOT / "openapi.yaml").read_text()
    assert "yaml" in answer.headers["content-type"]
    assert yaml.safe_load(answer.text)["openapi"].startswith("3.1")


def test_metrics_stand_on_their_own_port_and_count(service, client, newcomer):
    assert client.get("/metrics").status_code == 404
    client.get("/verify", headers=bearer(newcomer[1]))
    text = service.metrics()
    for name in ("doorward_request_seconds_bucket", "doorward_queue_depth", "doorward_queue_wait_seconds_bucket",
                 "doorward_refused_total", "doorward_refresh_total", "doorward_store_seconds_bucket",
                 "doorward_connections", "doorward_tls_handshakes_total", "doorward_log_dropped_total"):
        assert name in text, name
    assert re.search(r'doorward_request_seconds_count\{route="/verify",status="200"\} [1-9]', text)
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? [-+0-9.eInf]+', line), line


def test_the_metrics_port_serves_nothing_else(service):
    assert httpx.get(f"http://127.0.0.1:{SETTINGS['METRICS_PORT']}/verify", timeout=PATIENCE_S).status_code == 404


def test_every_answer_carries_the_headers_that_are_promised(client, newcomer):
    for answer in (client.get("/healthz"), client.get("/nowhere"), client.get("/verify"),
                   client.get("/profile", headers=bearer(newcomer[1])), client.post("/login", content=b"{")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers and answer.headers["date"]
        assert "strict-transport-security" not in answer.headers  # the certificate is self-made
    assert client.get("/healthz", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b\"c"}).headers["x-request-id"] != "a b\"c"


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/login", {"POST"}), ("DELETE", "/login", {"POST"}), ("POST", "/profile", {"GET", "HEAD", "DELETE"}),
    ("POST", "/healthz", {"GET", "HEAD"}), ("TRACE", "/login", {"POST"}), ("PUT", "/sessions", {"GET", "HEAD"}),
])
def test_another_method_is_405_and_names_those_that_work(client, method, path, allow):
    answer = client.request(method, path)
    assert answer.status_code == 405 and answer.json()["code"] == "method_not_allowed"
    assert {m.strip() for m in answer.headers["allow"].split(",")} - {"OPTIONS"} == allow


@pytest.mark.parametrize("path", ["/", "/Login", "/login/", "//login", "/login%20", "/profile/x", "/.well-known", "/%2e%2e/"])
def test_an_unknown_path_is_404(client, path):
    answer = client.get(path)
    assert answer.status_code == 404 and answer.json()["code"] == "not_found"
