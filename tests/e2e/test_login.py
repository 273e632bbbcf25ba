import pytest

from service import PASSWORD, PATIENCE_S, bearer, claims_of, in_time, unique_name

pytestmark = pytest.mark.concurrent
TOKENS = {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}


def login(client, **members):
    return client.post("/login", json=members)


def test_a_login_gives_tokens_and_the_user(service, client):
    name = service.register()["username"]
    answer = login(client, username=name, password=PASSWORD)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == TOKENS | {"message", "user"}
    assert body["message"] == "login successful" and body["token_type"] == "Bearer"
    for member, whole in (("expires_in", 3600), ("refresh_expires_in", 1209600)):
        assert whole - PATIENCE_S <= body[member] <= whole  # counted from when the login began
    assert body["user"]["username"] == name
    assert "set-cookie" not in answer.headers


def test_the_access_token_holds_the_claims_that_are_promised_and_no_others(service):
    name = service.register(email=f"{unique_name()}@example.org")["username"]
    claims = claims_of(service.login(name)["access_token"])
    assert set(claims) == {"iss", "aud", "client_id", "sub", "sid", "jti", "iat", "exp", "auth_time", "amr",
                           "epoch", "username", "roles"}
    assert claims["iss"] == "doorward" and claims["aud"] == claims["client_id"] == "doorward"
    assert claims["auth_time"] == claims["iat"] and claims["exp"] - claims["iat"] == 3600
    assert claims["username"] == name and claims["roles"] == []


@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_a_name_is_found_in_any_case_by_every_member(service, client, change):
    name = unique_name()
    email = f"{name}@Example.org"
    service.register(username=name, email=email)
    for member, value in (("username", name), ("email", email), ("identifier", name), ("identifier", email)):
        assert login(client, **{member: change(value), "password": PASSWORD}).status_code == 200


def comparable(answer):
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")}
    body = answer.json()
    body.pop("request_id")
    return answer.status_code, headers, body


def test_unknown_wrong_and_disabled_look_the_same(service, client):
    known, disabled = service.register()["username"], service.register()["username"]
    service.cli("user", "disable", disabled)
    answers = [comparable(login(client, username=unique_name(), password=PASSWORD)),
               comparable(login(client, username=known, password="not the password")),
               comparable(login(client, username=disabled, password=PASSWORD)),
               comparable(login(client, email=f"{unique_name()}@example.org", password=PASSWORD))]
    assert answers[0][0] == 401 and answers[0][2]["code"] == "invalid_credentials"
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("members", [
    {"password": PASSWORD},
    {"username": "a", "email": "a@b.org", "password": PASSWORD},
    {"username": "a", "identifier": "a", "password": PASSWORD},
    {"username": "a"},
    {"username": "a", "password": 5},
    {"username": "a", "password": "x" * 1025},
    {"username": "a" * 300, "password": PASSWORD},
    {"username": "a", "password": "nul\0inside"},
    {"username": "nul\0inside", "password": PASSWORD},
    {"username": "a", "password": PASSWORD, "cookie": "yes"},
    {"username": "a", "password": PASSWORD, "remember": True},
    {"username": {"$ne": None}, "password": PASSWORD},
])
def test_unacceptable_input_is_422(client, members):
    answer = login(client, **members)
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input", answer.text
    assert answer.json()["errors"]


def test_every_login_begins_a_session_of_its_own(service):
    name = service.register()["username"]
    first, second = service.login(name), service.login(name)
    assert claims_of(first["access_token"])["sid"] != claims_of(second["access_token"])["sid"]
    with service.client() as client:
        assert client.get("/profile", headers=bearer(first)).status_code == 200
        assert client.get("/profile", headers=bearer(second)).status_code == 200


def test_guessing_is_slowed_and_the_right_password_waits_too(start_service):
    service = start_service(LOGIN_ATTEMPTS=3, LOGIN_MAX_WAIT=60)
    with service.client() as client:
        def guess(name):
            return login(client, username=name, password="wrong guess").status_code

        def fail_freely(known):
            name = service.register()["username"] if known else unique_name()
            assert [guess(name) for _ in range(3)] == [401] * 3
            return name

        for known in (True, False):
            statuses, answer = in_time(1, lambda: fail_freely(known), lambda name: (
                [guess(name), guess(name)], login(client, username=name.upper(), password=PASSWORD)))
            assert statuses == [401, 429]
            assert answer.status_code == 429 and answer.json()["code"] == "too_many_attempts"
            assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_an_account_keeps_at_most_its_number_of_sessions(start_service):
    service = start_service(MAX_SESSIONS_PER_USER=3)
    name = service.register()["username"]
    tokens = [service.login(name) for _ in range(5)]
    with service.client() as client:
        assert len(client.get("/sessions", headers=bearer(tokens[-1])).json()["sessions"]) == 3
        alive = [client.post("/refresh-token", json={"refresh_token": t["refresh_token"]}).status_code for t in tokens]
    assert alive == [401, 401, 200, 200, 200]
