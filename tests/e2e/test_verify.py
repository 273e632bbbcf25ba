import pytest

from service import bearer, claims_of, wait_until

pytestmark = pytest.mark.concurrent


def test_a_token_is_verified_with_its_user_in_headers_and_no_body(service, client, newcomer):
    name, tokens = newcomer
    answer = client.get("/verify", headers=bearer(tokens))
    claims = claims_of(tokens["access_token"])
    assert answer.status_code == 200 and answer.content == b""
    assert answer.headers["x-auth-user"] == claims["sub"]
    assert answer.headers["x-auth-username"] == name
    assert answer.headers["x-auth-session"] == claims["sid"]
    assert answer.headers.get("x-auth-roles", "") == ""


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/verify", "/verify/", "/verify/some/path?x=1"])
def test_any_method_and_any_path_below_verifies(client, newcomer, method, path):
    assert client.request(method, path, headers=bearer(newcomer[1])).status_code == 200
    assert client.request(method, path).status_code == 401


def test_roles_are_asked_for_with_any_of(service, client):
    name = service.register()["username"]
    service.cli("user", "role", name, "editor", "auditor")
    headers = bearer(service.login(name))
    answer = client.get("/verify", headers=headers)
    assert set(answer.headers["x-auth-roles"].split(",")) == {"editor", "auditor"}
    assert client.get("/verify?role=editor", headers=headers).status_code == 200
    assert client.get("/verify?role=admin&role=auditor", headers=headers).status_code == 200
    answer = client.get("/verify?role=admin", headers=headers)
    assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
    assert client.get("/verify?role=", headers=headers).status_code == 403
    assert client.get("/verify?role=edit", headers=headers).status_code == 403


def roles_of(client, tokens):
    return client.get("/verify", headers=bearer(tokens)).headers["x-auth-roles"]


def test_a_change_of_roles_reaches_new_tokens_at_the_next_refresh(service, client, newcomer):
    name, tokens = newcomer
    service.cli("user", "role", name, "editor")
    assert roles_of(client, tokens) == ""  # what was signed stays as it was
    refreshed = client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).json()
    assert roles_of(client, refreshed) == "editor" and claims_of(refreshed["access_token"])["roles"] == ["editor"]
    assert client.get("/verify?role=editor", headers=bearer(refreshed)).status_code == 200
    service.cli("user", "role", name)
    refreshed = client.post("/refresh-token", json={"refresh_token": refreshed["refresh_token"]}).json()
    assert roles_of(client, refreshed) == "" and claims_of(refreshed["access_token"])["roles"] == []


def test_a_change_of_roles_with_now_ends_the_tokens_that_are_out(service, client, newcomer):
    name, tokens = newcomer
    other, other_tokens = service.newcomer()
    service.cli("user", "role", name, "editor", "--now")
    # The command is another process; the service follows within a second.
    answer = wait_until(lambda: (a := client.get("/verify", headers=bearer(tokens))).status_code == 401 and a,
                        "the end of the token")
    assert answer.json()["code"] == "token_revoked"
    assert client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert roles_of(client, service.login(name)) == "editor"
    assert client.get("/verify", headers=bearer(other_tokens)).status_code == 200


@pytest.mark.parametrize("value, code", [
    (None, "missing_token"),
    ("Basic YTpi", "missing_token"),
    ("", "missing_token"),
    ("Bearer", "invalid_token"),
    ("Bearer a b", "invalid_token"),
    ("Bearer a.b.c", "invalid_token"),
    ("Bearer " + "a" * 5000, "invalid_token"),
    ("Bearer ..", "invalid_token"),
    ("Bearer \x80\xff", "invalid_token"),
    ("Bearer,x", None),
])
def test_anything_but_a_good_bearer_is_401_with_a_challenge(client, value, code):
    headers = [] if value is None else [(b"Authorization", value.encode("latin-1"))]
    answer = client.get("/verify", headers=headers)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    if code:
        assert answer.json()["code"] == code
        assert ("error=" in challenge) == (code != "missing_token")


def test_the_scheme_is_read_in_any_case(client, newcomer):
    token = newcomer[1]["access_token"]
    for scheme in ("bearer", "BEARER", "BeArEr"):
        assert client.get("/verify", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_a_token_in_the_url_is_no_token(client, newcomer):
    answer = client.get("/verify", params={"access_token": newcomer[1]["access_token"]})
    assert answer.status_code == 401 and answer.json()["code"] == "missing_token"


def test_a_refresh_token_is_no_access_token_and_the_reverse(client, newcomer):
    tokens = newcomer[1]
    answer = client.get("/profile", headers={"Authorization": f"Bearer {tokens['refresh_token']}"})
    assert answer.status_code == 401
    assert client.post("/refresh-token", json={"refresh_token": tokens["access_token"]}).status_code == 401


def test_no_changed_token_is_accepted(client, newcomer):
    token = newcomer[1]["access_token"]
    head, payload, signature = token.split(".")
    changed = [token + "A", token + "=", token + ".", "." + token, f"{head}.{payload}.", f"{head}.{payload}",
               f"{head}..{signature}", f"{payload}.{head}.{signature}", token.replace(".", "..", 1), token[:-4]]
    middle = len(head) + 1 + len(payload) // 2
    changed.append(token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:])
    for one in changed:
        assert client.get("/verify", headers={"Authorization": f"Bearer {one}"}).status_code == 401, one


def test_an_expired_token_says_so(start_service):
    service = start_service(JWT_EXPIRY=1, JWT_LEEWAY=0)
    _, tokens = service.newcomer()
    with service.client() as client:
        answer = wait_until(lambda: (a := client.get("/verify", headers=bearer(tokens))).status_code == 401 and a,
                            "the expiry")
        assert answer.json()["code"] == "token_expired"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        answer = client.post("/logout", headers=bearer(tokens))
        assert answer.status_code == 401 and answer.json()["code"] == "token_expired"


def test_a_cookie_is_taken_where_it_is_configured(start_service):
    service = start_service(VERIFY_COOKIE="access")
    _, tokens = service.newcomer()
    with service.client() as client:
        assert client.get("/verify", headers={"Cookie": f"a=b; access={tokens['access_token']}"}).status_code == 200
        assert client.get("/verify", headers={"Cookie": "access=junk"}).status_code == 401
        assert client.get("/profile", headers={"Cookie": f"access={tokens['access_token']}"}).status_code == 401


def test_with_a_secret_tokens_are_hs256_and_the_key_set_is_empty(start_service):
    service = start_service(JWT_SECRET="s" * 32)
    _, tokens = service.newcomer()
    import jwt
    claims = jwt.decode(tokens["access_token"], "s" * 32, algorithms=["HS256"], audience="doorward")
    assert claims["iss"] == "doorward"
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
        assert client.get("/.well-known/jwks.json").json() == {"keys": []}
        forged = jwt.encode({**claims, "sub": claims["sid"]}, "s" * 32, algorithm="HS512",
                            headers=jwt.get_unverified_header(tokens["access_token"]) | {"alg": "HS512"})
        assert client.get("/verify", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
