"""The refresh rule of DESIGN section 5; the letters are those of its acceptance points."""
import base64
import random
import sqlite3
import string
import time

import pytest

from service import bearer, child_of, claims_of, free_port, in_parallel, in_time, refresh, wait_until

pytestmark = pytest.mark.concurrent
SETTINGS = {"REFRESH_GRACE": 300}  # a repetition may come late, as from the other side of a restart; the window's end has its own test


def metric(service, name):
    """What /metrics says after this name with its labels."""
    for line in service.metrics().splitlines():
        if line.startswith(name + " "):
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


ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
# The parts of a token's bytes: version, id of the master key, session, counter, MAC.
KEY_ID, SESSION, COUNTER, MAC = slice(1, 5), slice(5, 21), slice(21, 29), slice(29, 61)


def bytes_of(token):
    return bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def text_of(raw):
    return base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


def with_part(token, part, value):
    raw = bytes_of(token)
    raw[part] = value
    return text_of(raw)


def with_each_bit_flipped(token):
    for position in range(len(bytes_of(token)) * 8):
        raw = bytes_of(token)
        raw[position // 8] ^= 1 << position % 8
        yield text_of(raw)


def spelled_otherwise(token):
    """The same bytes in texts that a lenient decoder takes as well."""
    raw, last = bytes_of(token), token[-1]
    for letter in ALPHABET:
        if letter != last and bytes_of(token[:-1] + letter) == raw:
            yield token[:-1] + letter
    for other in (token + "=", token + "==", " " + token, token + "\n", token[:40] + "\r\n" + token[40:],
                  "%" + token.encode().hex("%"), token.replace("-", "+").replace("_", "/")):
        if other != token:
            yield other


def junk_like(token, foreign):
    """Made from a good token of ours, and from a good one of another service with another master key."""
    yield from with_each_bit_flipped(token)
    yield from spelled_otherwise(token)
    for one, other in ((token, foreign), (foreign, token)):
        for part in (KEY_ID, SESSION, COUNTER, MAC):
            if bytes_of(one)[part] != bytes_of(other)[part]:
                yield with_part(one, part, bytes_of(other)[part])
    for counter in (1, 2**31, 2**63 - 1, 2**63, 2**64 - 1):
        yield with_part(token, COUNTER, counter.to_bytes(8, "big"))
    yield from (foreign, token[:-1], token[:-4], token + "A", token + token, token.swapcase(), "A" * len(token), "-", "x" * 1000)
    random_ones = random.Random(4)
    for length in (*range(55, 70), 61, 61, 61):
        yield text_of(random_ones.randbytes(length))


@pytest.mark.sqlite
def test_h_junk_never_reaches_the_store_and_revokes_nothing(start_service):
    service = start_service(METRICS_PORT=free_port(), STORE_DEADLINE_MS=1000)
    _, tokens = service.newcomer()
    foreign = start_service().newcomer()[1]["refresh_token"]
    token = tokens["refresh_token"]
    junk = [*junk_like(token, foreign), tokens["access_token"]]
    assert token not in junk and len(bytes_of(token)) == MAC.stop
    # A refresh begins with a write. While another holds the file's lock, what reaches the store is 503, and late.
    holder = sqlite3.connect(service.directory / "var" / "doorward.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with service.client() as client:
        for one in junk:
            answer = refresh(client, one)
            assert answer.status_code == 401 and answer.json()["code"] == "invalid_refresh_token", one
        assert metric(service, 'doorward_refresh_total{outcome="junk"}') == len(junk)
        assert refresh(client, token).json()["code"] == "store_unavailable"
        holder.execute("ROLLBACK")
        wait_until(lambda: refresh(client, token).status_code == 200, "the store's return")
        assert metric(service, 'doorward_refresh_total{outcome="junk"}') == len(junk)
    holder.close()


def test_an_idle_session_expires(start_service):
    service = start_service(REFRESH_TOKEN_EXPIRY=2)
    with service.client() as client:
        first = in_time(2, lambda: service.register()["username"],
                        lambda name: refresh(client, service.login(name)["refresh_token"])).json()
        sessions = lambda: client.get("/sessions", headers=bearer(first)).json().get("sessions")
        wait_until(lambda: not sessions(), "the session's end")
        answer = refresh(client, first["refresh_token"])
        assert answer.status_code == 401 and answer.json()["code"] == "refresh_token_expired"


def test_a_session_in_use_ends_at_its_greatest_age(start_service):
    service = start_service(SESSION_MAX_AGE=3)
    with service.client() as client:
        def use(tokens):
            answers = [refresh(client, tokens["refresh_token"])]
            while answers[-1].status_code == 200:
                time.sleep(0.1)  # never long unused: the age alone ends it
                answers.append(refresh(client, answers[-1].json()["refresh_token"]))
            return answers

        answers = []
        for _ in range(10):  # this machine may stand still until its end
            if len(answers) <= 2:
                answers = use(service.newcomer()[1])
        assert len(answers) > 2 and answers[-1].json()["code"] == "refresh_token_expired"
        left = [answer.json()["refresh_expires_in"] for answer in answers[:-1]]
        assert max(left) <= 3 and left == sorted(left, reverse=True)


def test_the_session_that_was_longest_unused_gives_way(start_service):
    service = start_service(MAX_SESSIONS_PER_USER=3)
    name = service.register()["username"]
    oldest, idle, third = [service.login(name) for _ in range(3)]
    with service.client() as client:
        oldest = child_of(client, oldest["refresh_token"])
        fourth = service.login(name)
        assert refresh(client, idle["refresh_token"]).json()["code"] == "invalid_refresh_token"
        assert client.get("/verify", headers=bearer(idle)).json()["code"] == "token_revoked"
        for tokens in (oldest, third, fourth):
            assert refresh(client, tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("path", ["/refresh-token", "/logout?scope=all"])
def test_a_reuse_is_logged_with_address_and_agent_of_both_uses(start_service, path):
    service = start_service(TRUSTED_PROXIES="127.0.0.1/32")
    _, tokens = service.newcomer()
    owner = {"User-Agent": "phone/1.0", "X-Forwarded-For": "192.0.2.7"}
    thief = {"User-Agent": "thief/2.0", "X-Forwarded-For": "198.51.100.9"}
    with service.client() as client:
        token = tokens["refresh_token"]
        for _ in range(2):
            token = client.post("/refresh-token", json={"refresh_token": token}, headers=owner).json()["refresh_token"]
        client.post(path, json={"refresh_token": tokens["refresh_token"]}, headers=thief)
    event = service.wait_for_event(event="audit", action="refresh_reuse", session_id=claims_of(tokens["access_token"])["sid"])
    assert (event["ip"], event["user_agent"]) == ("198.51.100.9", "thief/2.0")
    assert (event["last_ip"], event["last_user_agent"]) == ("192.0.2.7", "phone/1.0")
    assert event["level"] == "warn" and event["user_id"] == claims_of(tokens["access_token"])["sub"]


@pytest.mark.parametrize("body", [{}, {"refresh_token": 5}, {"refresh_token": None}, {"refresh_token": "a", "x": 1},
                                  {"refresh_token": ["a"]}])
def test_unacceptable_input_is_422(client, body):
    answer = client.post("/refresh-token", json=body)
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input", answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_a_post_refreshes(client, newcomer, method):
    answer = client.request(method, "/refresh-token")
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]
