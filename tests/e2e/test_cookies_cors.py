"""Cookie modes, origins, preflights, and the classic answers."""
import pytest

from service import PASSWORD, bearer, unique_name

SETTINGS = {"PUBLIC_URL": "https://auth.example.org", "CORS_ORIGINS": "https://app.example.org"}
OWN, FRIEND, STRANGER = "https://auth.example.org", "https://app.example.org", "https://evil.example"


def cookie_login(service, client, **headers):
    name = service.register()["username"]
    answer = client.post("/login", json={"username": name, "password": PASSWORD, "cookie": True}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def sent(answer):
    return answer.headers["set-cookie"].split(";")[0]


def test_a_login_that_asks_for_a_cookie_gets_the_refresh_token_only_there(service, client):
    answer = cookie_login(service, client)
    assert "refresh_token" not in answer.json() and "access_token" in answer.json()
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert sent(answer).startswith("__Host-refresh=")
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= attributes
    assert not any(a.startswith("domain") for a in attributes)


@pytest.mark.parametrize("headers", [{"Origin": OWN}, {"Origin": FRIEND}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_refresh_by_cookie_answers_by_cookie(service, client, headers):
    cookie = sent(cookie_login(service, client))
    client.cookies.clear()
    answer = client.post("/refresh-token", headers={"Cookie": cookie, **headers})
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json() and sent(answer) != cookie


@pytest.mark.parametrize("headers", [{}, {"Origin": STRANGER}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                                     {"Origin": STRANGER, "Sec-Fetch-Site": "cross-site"},
                                     {"Origin": FRIEND + ".evil.example"}, {"Origin": FRIEND.upper() + "x"}])
@pytest.mark.parametrize("path", ["/refresh-token", "/logout"])
def test_a_cookie_from_another_origin_is_refused(service, client, headers, path):
    cookie = sent(cookie_login(service, client))
    client.cookies.clear()
    answer = client.post(path, headers={"Cookie": cookie, **headers})
    assert answer.status_code == 403 and answer.json()["code"] == "origin_not_allowed"
    again = client.post("/refresh-token", headers={"Cookie": cookie, "Origin": OWN})
    assert again.status_code == 200


def test_a_logout_by_cookie_ends_the_session_and_takes_the_cookie_back(service, client):
    cookie = sent(cookie_login(service, client))
    client.cookies.clear()
    answer = client.post("/logout", headers={"Cookie": cookie, "Origin": OWN})
    assert answer.status_code == 204 and "max-age=0" in answer.headers["set-cookie"].lower()
    assert client.post("/refresh-token", headers={"Cookie": cookie, "Origin": OWN}).status_code == 401


def test_cookies_on_always_gives_one(start_service):
    service = start_service(COOKIES="on")
    name = service.register()["username"]
    with service.client() as client:
        answer = client.post("/login", json={"username": name, "password": PASSWORD})
        assert "refresh_token" not in answer.json() and sent(answer).startswith("__Host-refresh=")


def test_cookies_off_refuses_the_member_and_reads_none(start_service):
    service = start_service(COOKIES="off")
    name, tokens = service.newcomer()
    with service.client() as client:
        answer = client.post("/login", json={"username": name, "password": PASSWORD, "cookie": True})
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "cookie"
        answer = client.post("/refresh-token", headers={"Cookie": f"__Host-refresh={tokens['refresh_token']}"})
        assert answer.status_code in (401, 422)


@pytest.mark.parametrize("origin", [OWN, FRIEND])
def test_an_allowed_origin_gets_its_headers(client, newcomer, origin):
    answer = client.get("/profile", headers=bearer(newcomer[1]) | {"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "origin" in answer.headers["vary"].lower()
    exposed = {h.strip().lower() for h in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == {"retry-after", "x-request-id", "www-authenticate", "location"}


def test_another_origin_is_served_without_them(client, newcomer):
    answer = client.get("/profile", headers=bearer(newcomer[1]) | {"Origin": STRANGER})
    assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers


def preflight(client, origin, path="/login"):
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST",
                                         "Access-Control-Request-Headers": "authorization, content-type"})


def test_a_preflight_is_204_with_headers_only_when_allowed(client):
    answer = preflight(client, FRIEND)
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == FRIEND
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    answer = preflight(client, STRANGER)
    assert answer.status_code == 204
    assert not any(h.startswith("access-control") for h in answer.headers)


def test_classic_answers_are_those_of_the_older_api(start_service):
    service = start_service(RESPONSES="classic")
    name = unique_name()
    with service.client() as client:
        account = {"username": name, "password": PASSWORD}
        answer = client.post("/register", json=account)
        assert answer.status_code == 200 and answer.json()["message"] == "user registered "
        answer = client.post("/register", json=account)
        assert answer.status_code == 400 and answer.json()["message"] == "user Already Exists"
        answer = client.post("/login", json=account)
        assert answer.status_code == 200 and answer.json()["message"] == "login successful"
        assert {"access_token", "refresh_token", "expires_in"} <= set(answer.json())
        answer = client.post("/login", json={**account, "password": "wrong guess"})
        assert answer.status_code == 400 and answer.json()["message"] == "login unsuccessful"
        answer = client.post("/login", json={**account, "username": unique_name()})
        assert answer.status_code == 404 and answer.json()["error"] == "user not registred"
