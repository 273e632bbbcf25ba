"""The refresh rule of DESIGN section 5; the letters are those of its acceptance points."""
import base64
import random

import pytest

from service import bearer, claims_of, in_parallel

pytestmark = pytest.mark.concurrent


def refresh(client, token):
    return client.post("/refresh-token", json={"refresh_token": token})


def child_of(client, token):
    answer = refresh(client, token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def metric(service, outcome):
    """The count of one outcome of doorward_refresh_total."""
    with service.client() as client:
        text = client.get(f"http://127.0.0.1:{service.settings['METRICS_PORT']}/metrics").text
    for line in text.splitlines():
        if line.startswith(f'doorward_refresh_total{{outcome="{outcome}"}}'):
            return float(line.split()[-1])
    return 0.0


def test_a_refresh_gives_a_new_pair_of_the_same_session(service, client, newcomer):
    _, tokens = newcomer
    answer = refresh(client, tokens["refresh_token"])
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert body["refresh_token"] != tokens["refresh_token"]
    old, new = claims_of(tokens["access_token"]), claims_of(body["access_token"])
    assert old["sid"] == new["sid"] and old["auth_time"] == new["auth_time"] and old["jti"] != new["jti"]
    assert client.get("/profile", headers=bearer(body)).status_code == 200


@pytest.mark.parametrize("round_", range(5))
def test_a_parallel_refreshes_of_one_token_give_one_child(service, newcomer, round_):
    token = newcomer[1]["refresh_token"]
    clients = [service.client() for _ in range(16)]
    children = in_parallel(16, lambda i: child_of(clients[i], token)["refresh_token"])
    assert len(set(children)) == 1
    assert refresh(clients[0], children[0]).status_code == 200
    for one in clients:
        one.close()


def test_b_a_lost_answer_and_a_retry_give_the_same_child(client, newcomer):
    token = newcomer[1]["refresh_token"]
    first, again = child_of(client, token), child_of(client, token)
    assert first["refresh_token"] == again["refresh_token"]
    assert first["access_token"] != again["access_token"]


def test_c_a_grandparent_ends_the_session(service, client, newcomer):
    _, tokens = newcomer
    child = child_of(client, tokens["refresh_token"])
    grandchild = child_of(client, child["refresh_token"])
    answer = refresh(client, tokens["refresh_token"])
    assert answer.status_code == 401 and answer.json()["code"] == "refresh_token_reused"
    assert "bearer" in answer.headers["www-authenticate"].lower()
    for token in (tokens, child, grandchild):
        answer = refresh(client, token["refresh_token"])
        assert answer.status_code == 401 and answer.json()["code"] == "invalid_refresh_token"
        answer = client.get("/verify", headers=bearer(token))
        assert answer.status_code == 401 and answer.json()["code"] == "token_revoked"
    sid = claims_of(tokens["access_token"])["sid"]
    assert service.wait_for_event(event="audit", action="refresh_reuse", session_id=sid)


def test_c_d_a_parent_after_the_window_ends_the_session_and_the_window_counts_from_the_first_use(start_service):
    service = start_service(REFRESH_GRACE=1)
    _, tokens = service.newcomer()
    with service.client() as client:
        child = child_of(client, tokens["refresh_token"])
        # Repeats within the window do not move it: they succeed until it ends, then one fails.
        answers = []
        while not answers or answers[-1].status_code == 200:
            answers.append(refresh(client, tokens["refresh_token"]))
        assert answers[-1].json()["code"] == "refresh_token_reused"
        assert {a.json()["refresh_token"] for a in answers[:-1]} <= {child["refresh_token"]}
        assert refresh(client, child["refresh_token"]).json()["code"] == "invalid_refresh_token"


@pytest.mark.parametrize("round_", range(5))
def test_e_a_logout_racing_refreshes_wins(service, newcomer, round_):
    _, tokens = newcomer
    clients = [service.client() for _ in range(8)]

    def act(index):
        if index == 0:
            return clients[0].post("/logout", headers=bearer(tokens))
        return refresh(clients[index], tokens["refresh_token"])

    answers = in_parallel(8, act)
    assert answers[0].status_code == 204
    for answer in answers[1:]:
        if answer.status_code == 200:
            assert refresh(clients[0], answer.json()["refresh_token"]).status_code == 401
            assert clients[0].get("/verify", headers=bearer(answer.json())).status_code == 401
        else:
            assert answer.status_code == 401
    for one in clients:
        one.close()


def test_f_the_stores_clock_decides_so_a_token_from_before_a_restart_refreshes_once(service, newcomer, client):
    token = newcomer[1]["refresh_token"]
    child = child_of(client, token)
    service.restart()
    with service.client() as anew:
        assert child_of(anew, token)["refresh_token"] == child["refresh_token"]
        assert refresh(anew, child["refresh_token"]).status_code == 200


def flipped(token, position):
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[position // 8] ^= 1 << position % 8
    return base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


def test_h_junk_never_reaches_the_store_and_revokes_nothing(start_service, new_service):
    from service import free_port
    service = start_service(METRICS_PORT=free_port())
    _, tokens = service.newcomer()
    _, foreign = start_service().newcomer()  # made with another master key
    token = tokens["refresh_token"]
    bits = len(token) * 6 // 8 * 8
    random_ones = random.Random(4)
    junk = [flipped(token, random_ones.randrange(bits)) for _ in range(40)]
    junk += [token[:-1], token + "A", token + "=", " " + token, token.upper(), "A" * len(token), "x",
             token[:-1] + chr(ord(token[-1]) + 1), foreign["refresh_token"], tokens["access_token"]]
    with service.client() as client:
        for one in junk:
            answer = refresh(client, one)
            assert answer.status_code == 401 and answer.json()["code"] == "invalid_refresh_token", one
        assert metric(service, "junk") == len(junk)
        assert refresh(client, token).status_code == 200


def test_an_idle_session_expires(start_service):
    service = start_service(REFRESH_TOKEN_EXPIRY=1)
    _, tokens = service.newcomer()
    with service.client() as client:
        from service import wait_until
        first = child_of(client, tokens["refresh_token"])
        sessions = lambda: client.get("/sessions", headers=bearer(first)).json().get("sessions")
        wait_until(lambda: not sessions(), "the session's end")
        answer = refresh(client, first["refresh_token"])
        assert answer.status_code == 401 and answer.json()["code"] == "refresh_token_expired"


@pytest.mark.parametrize("body", [{}, {"refresh_token": 5}, {"refresh_token": None}, {"refresh_token": "a", "x": 1},
                                  {"refresh_token": ["a"]}])
def test_unacceptable_input_is_422(client, body):
    answer = client.post("/refresh-token", json=body)
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input", answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_a_post_refreshes(client, newcomer, method):
    answer = client.request(method, "/refresh-token")
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]
