"""Profile, password change and deletion."""

import pytest

from service import PASSWORD, bearer, slowed, verify

pytestmark = pytest.mark.concurrent


def test_the_profile_is_the_callers_own_and_nothing_more(service, client, newcomer):
    name, tokens = newcomer
    answer = client.get("/profile?id=other", headers=bearer(tokens) | {"X-User": "other"})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"user"} and answer.json()["user"]["username"] == name
    assert set(answer.json()["user"]) == {"id", "username", "email", "roles", "created_at", "updated_at"}


def test_a_head_is_a_get_without_a_body(client, newcomer):
    answer = client.head("/profile", headers=bearer(newcomer[1]))
    assert answer.status_code == 200 and answer.content == b"" and int(answer.headers["content-length"]) > 0


def test_a_changed_password_ends_the_other_sessions_and_keeps_this(service, client):
    name = service.register()["username"]
    mine, other = service.login(name), service.login(name)
    answer = client.post("/password", headers=bearer(mine),
                         json={"current_password": PASSWORD, "new_password": "another good one"})
    assert answer.status_code == 204
    assert verify(client, mine) == 200 and verify(client, other) == 401
    kept = client.post("/refresh-token", json={"refresh_token": mine["refresh_token"]})
    assert kept.status_code == 200 and verify(client, kept.json()) == 200
    assert client.post("/refresh-token", json={"refresh_token": other["refresh_token"]}).status_code == 401
    assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 401
    assert client.post("/login", json={"username": name, "password": "another good one"}).status_code == 200


def test_a_wrong_current_password_changes_nothing(service, client, newcomer):
    name, tokens = newcomer
    answer = client.post("/password", headers=bearer(tokens),
                         json={"current_password": "wrong guess", "new_password": "another good one"})
    assert answer.status_code == 403 and answer.json()["code"] == "wrong_password"
    service.login(name)


@pytest.mark.parametrize("members, field", [
    ({"current_password": PASSWORD, "new_password": "short"}, "new_password"),
    ({"current_password": PASSWORD}, "new_password"),
    ({"new_password": "long enough"}, "current_password"),
    ({"current_password": 1, "new_password": "long enough"}, "current_password"),
    ({"current_password": PASSWORD, "new_password": "long enough", "x": 1}, "x"),
])
def test_unacceptable_input_is_422(client, newcomer, members, field):
    answer = client.post("/password", headers=bearer(newcomer[1]), json=members)
    assert answer.status_code == 422 and field in {e["field"] for e in answer.json()["errors"]}


@pytest.mark.frees_names
def test_a_deleted_account_is_gone_with_its_sessions_and_its_name_is_free(service, client, newcomer):
    name, tokens = newcomer
    assert client.request("DELETE", "/profile", headers=bearer(tokens), json={"password": "wrong guess"}).status_code == 403
    assert client.request("DELETE", "/profile", headers=bearer(tokens), json={"password": PASSWORD}).status_code == 204
    assert verify(client, tokens) == 401
    assert client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 401
    assert service.register(username=name)
    assert verify(client, tokens) == 401


def test_deleting_without_a_password_is_422(client, newcomer):
    answer = client.request("DELETE", "/profile", headers=bearer(newcomer[1]), json={})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "password"


@pytest.mark.parametrize("method, path, members", [
    ("POST", "/password", {"current_password": "wrong guess", "new_password": "another good one"}),
    ("DELETE", "/profile", {"password": "wrong guess"}),
])
def test_guessing_with_a_stolen_access_token_is_slowed(start_service, method, path, members):
    service = start_service(LOGIN_ATTEMPTS=2)
    _, tokens = service.newcomer()
    with service.client() as client:
        codes = slowed(lambda: client.request(method, path, headers=bearer(tokens), json=members).status_code)
    assert set(codes[:-1]) == {403} and len(codes) > 2


@pytest.mark.parametrize("method, path", [("GET", "/profile"), ("GET", "/sessions"), ("POST", "/password"),
                                          ("DELETE", "/profile"), ("DELETE", "/sessions/01a1fcc8-5b85-7558-aad9-37f743c08828")])
def test_without_a_token_the_401_comes_first(client, method, path):
    answer = client.request(method, path)
    assert answer.status_code == 401 and answer.json()["code"] == "missing_token"
    assert answer.headers["www-authenticate"] and "error" not in answer.headers["www-authenticate"]


def test_all_sessions_are_listed_however_many_are_allowed(start_service):
    count = 300
    service = start_service(MAX_SESSIONS_PER_USER=count)
    name = service.register()["username"]
    with service.client(headers={"User-Agent": '"' * 300}) as client:
        for _ in range(count):
            answer = client.post("/login", json={"username": name, "password": PASSWORD})
            assert answer.status_code == 200
        listed = client.get("/sessions", headers=bearer(answer.json()))
    assert listed.status_code == 200 and len(listed.json()["sessions"]) == count
