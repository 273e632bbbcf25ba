import threading

import pytest

from service import PASSWORD, bearer, in_parallel, in_time, unique_name, verify, wait_until

pytestmark = pytest.mark.concurrent


def refresh(client, tokens):
    return client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code


def three_sessions(service):
    name = service.register()["username"]
    return [service.login(name) for _ in range(3)]


def test_a_logout_ends_this_session_at_once_on_every_loop(service, client):
    mine, other, _ = three_sessions(service)
    assert client.post("/logout", headers=bearer(mine)).status_code == 204
    clients = [service.client() for _ in range(8)]
    assert in_parallel(8, lambda i: verify(clients[i], mine)) == [401] * 8
    for one in clients:
        one.close()
    assert refresh(client, mine) == 401
    assert verify(client, other) == 200 and refresh(client, other) == 200


def test_scope_others_ends_all_but_this(service, client):
    mine, *others = three_sessions(service)
    assert client.post("/logout?scope=others", headers=bearer(mine)).status_code == 204
    assert verify(client, mine) == 200 and refresh(client, mine) == 200
    for tokens in others:
        assert verify(client, tokens) == 401 and refresh(client, tokens) == 401


def test_scope_all_ends_everything_and_a_new_login_works(service, client):
    name = service.register()["username"]
    sessions = [service.login(name) for _ in range(3)]
    assert client.post("/logout?scope=all", headers=bearer(sessions[0])).status_code == 204
    for tokens in sessions:
        assert verify(client, tokens) == 401 and refresh(client, tokens) == 401
    anew = service.login(name)
    assert verify(client, anew) == 200 and refresh(client, anew) == 200


def test_a_logout_by_refresh_token_ends_its_session(service, client):
    mine, other, _ = three_sessions(service)
    assert client.post("/logout", json={"refresh_token": mine["refresh_token"]}).status_code == 204
    assert verify(client, mine) == 401 and refresh(client, mine) == 401 and verify(client, other) == 200


def test_a_logout_is_repeatable_and_lenient(service, client):
    mine, *_ = three_sessions(service)
    for _ in range(3):
        assert client.post("/logout", headers=bearer(mine)).status_code == 204
        assert client.post("/logout", json={"refresh_token": mine["refresh_token"]}).status_code == 204
    assert client.post("/logout", json={"refresh_token": "junk"}).status_code == 204


def test_a_dead_bearer_cannot_end_other_sessions(service, client):
    mine, other, _ = three_sessions(service)
    assert client.post("/logout", headers=bearer(mine)).status_code == 204
    assert client.post("/logout?scope=all", headers=bearer(mine)).status_code == 204
    assert verify(client, other) == 200


def test_the_bearer_wins_over_the_body(service, client):
    mine, other, _ = three_sessions(service)
    answer = client.post("/logout", headers=bearer(mine), json={"refresh_token": other["refresh_token"]})
    assert answer.status_code == 204
    assert verify(client, mine) == 401 and verify(client, other) == 200


def test_another_scope_is_422_and_ends_nothing(service, client):
    mine, *_ = three_sessions(service)
    answer = client.post("/logout?scope=everything", headers=bearer(mine))
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input"
    assert verify(client, mine) == 200


def test_a_logout_without_any_token_is_401(client):
    answer = client.post("/logout")
    assert answer.status_code == 401 and answer.json()["code"] == "missing_token"


def test_an_invalid_bearer_is_401(client):
    answer = client.post("/logout", headers={"Authorization": "Bearer junk"})
    assert answer.status_code == 401 and answer.json()["code"] == "invalid_token"


def test_a_logout_outlives_a_kill(start_service):
    service = start_service()
    _, tokens = service.newcomer()
    with service.client() as client:
        assert client.post("/logout", headers=bearer(tokens)).status_code == 204
    service.kill()
    service.start()
    with service.client() as client:
        assert verify(client, tokens) == 401 and refresh(client, tokens) == 401


def test_a_disabled_account_is_refused_everywhere_within_a_second(service, client):
    def disable():
        name, tokens = service.newcomer()
        service.cli("user", "disable", name)
        return name, tokens

    def be_refused(newcomer):
        wait_until(lambda: verify(client, newcomer[1]) == 401, "the refusal")
        return newcomer

    name, tokens = in_time(1.5, disable, be_refused)
    assert refresh(client, tokens) == 401
    assert client.get("/profile", headers=bearer(tokens)).status_code == 401
    service.cli("user", "enable", name)
    assert verify(client, service.login(name)) == 200
    assert verify(client, tokens) == 401


def test_ending_one_session_of_a_list(service, client):
    mine, other, _ = three_sessions(service)
    listed = client.get("/sessions", headers=bearer(mine)).json()["sessions"]
    assert len(listed) == 3 and sum(s["current"] for s in listed) == 1
    assert set(listed[0]) == {"id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "current"}
    assert listed[0]["ip"] == "127.0.0.1" and "httpx" in listed[0]["user_agent"]
    from service import claims_of
    target = claims_of(other["access_token"])["sid"]
    assert client.delete(f"/sessions/{target}", headers=bearer(mine)).status_code == 204
    assert verify(client, other) == 401 and verify(client, mine) == 200
    assert client.delete(f"/sessions/{target}", headers=bearer(mine)).status_code == 404


def test_another_users_session_is_not_found(service, client):
    from service import claims_of
    _, mine = service.newcomer()
    _, theirs = service.newcomer()
    target = claims_of(theirs["access_token"])["sid"]
    assert client.delete(f"/sessions/{target}", headers=bearer(mine)).status_code == 404
    assert client.delete(f"/sessions/{unique_name()}", headers=bearer(mine)).status_code == 404
    assert verify(client, theirs) == 200


def test_a_login_beside_a_logout_of_the_others_is_not_told_that_its_password_is_wrong(start_service):
    """The hash takes long enough for another session to end the others meanwhile."""
    service = start_service(BCRYPT_COST=12)
    name, tokens = service.newcomer()
    answers = []

    def log_in():
        with service.client() as client:
            answers.append(client.post("/login", json={"username": name, "password": PASSWORD}).status_code)

    thread = threading.Thread(target=log_in)
    with service.client() as client:
        thread.start()
        while thread.is_alive():
            assert client.post("/logout?scope=others", headers=bearer(tokens)).status_code == 204
        thread.join()
        assert answers == [200]
        assert refresh(client, tokens) == 200
