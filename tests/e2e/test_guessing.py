"""Guessing is slowed, in parallel and through several processes as well, for accounts and for names without one."""
import json
import math
import re
import sqlite3
import time

import pytest

from service import PASSWORD, bearer, free_port, in_parallel, in_time, slowed, unique_name

pytestmark = pytest.mark.concurrent
ATTEMPTS = 10
GUESSES = 200


@pytest.fixture
def pair(start_service, new_store):
    """Two processes on one database."""
    settings = {"LOGIN_ATTEMPTS": ATTEMPTS, "LOGIN_DEADLINE_MS": 60000, "LOG_LEVEL": "info",
                # 200 threads of one interpreter take their time.
                "HANDSHAKE_TIMEOUT": 100, "HEADER_TIMEOUT": 100, "IDLE_TIMEOUT": 100, **new_store()}
    return [start_service(METRICS_PORT=free_port(), **settings) for _ in range(2)]


def hashes(services):
    """How many the engines of all have computed so far."""
    count = 0
    for service in services:
        count += sum(int(line.split()[-1]) for line in service.metrics().splitlines()
                     if line.startswith("doorward_password_hash_seconds_count"))
    return count


def at_once(services, count, members):
    """The answers to `count` logins by turns through all services; members(index) is what each says."""
    clients = [service.client() for service in services for _ in range(8)]
    try:
        return in_parallel(count, lambda i: clients[i % len(clients)].post("/login", json=members(i)))
    finally:
        for client in clients:
            client.close()


def allowed(seconds):
    """The free ones, the one that begins the wait, and those whose wait (1 s, 2 s, 4 s ...) ended meanwhile."""
    return ATTEMPTS + 1 + int(math.log2(seconds + 1))


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("guess", ["wrong guess {}", "the same wrong guess"])
def test_parallel_guesses_on_two_processes_get_no_more_tries(pair, exists, guess):
    name = unique_name()
    if exists:
        pair[0].register(username=name, email=f"{name}@example.org")
    spellings = [name, name.upper(), name.title()]
    before, start = hashes(pair), time.monotonic()
    answers = at_once(pair, GUESSES, lambda i: {"username": spellings[i % 3], "password": guess.format(i)})
    seconds = time.monotonic() - start
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {401, 429}, set(codes)
    assert ATTEMPTS + 1 <= codes.count(401) <= allowed(seconds), (codes.count(401), seconds)
    assert hashes(pair) - before == codes.count(401)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)


def test_the_right_password_waits_like_others_and_then_resets_the_count(pair):
    name = pair[0].register()["username"]
    codes = [a.status_code for a in at_once(pair, 40, lambda i: {"username": name, "password": f"wrong {i}"})]
    assert codes.count(401) >= ATTEMPTS + 1 and 200 not in codes
    with pair[1].client() as client:
        def login(password=PASSWORD):
            return client.post("/login", json={"username": name, "password": password})
        answer = login()
        while answer.status_code == 429:
            time.sleep(int(answer.headers["retry-after"]))
            answer = login()
        assert answer.status_code == 200
        assert [login(f"wrong again {i}").status_code for i in range(ATTEMPTS)] == [401] * ATTEMPTS


def test_a_client_that_logs_in_many_times_at_once_is_not_slowed(pair):
    name = pair[0].register()["username"]
    for _ in range(2):
        answers = at_once(pair[:1], 64, lambda i: {"username": name, "password": PASSWORD})
        assert [answer.status_code for answer in answers] == [200] * 64


def refusal(service, **members):
    """The whole answer as bytes, without what differs from one to the next of one name."""
    body = json.dumps({"password": "wrong guess", **members}).encode()
    answer = service.exchange(b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    request_id = re.search(rb"\r\nx-request-id: (\S+)", answer, re.I)[1]
    answer = re.sub(rb"(\r\ndate: )[^\r]*", rb"\1", answer.replace(request_id, b""), flags=re.I)
    return re.sub(rb"(\r\nretry-after: )\d+", rb"\1", answer, flags=re.I)


def test_refusals_of_every_kind_are_the_same_bytes_before_and_after_the_wait_begins(start_service):
    service = start_service(LOGIN_ATTEMPTS=1, LOGIN_MAX_WAIT=3600)
    names = [unique_name() for _ in range(4)]
    for name in names[:3]:
        service.register(username=name, email=f"{name}@example.org")
    service.cli("user", "disable", names[1])
    kinds = [{"username": names[0]}, {"username": names[1], "password": PASSWORD}, {"email": f"{names[2]}@example.org"},
             {"username": names[3]}, {"identifier": f"{names[3]}@example.org"}, {"email": names[3]}]
    seen = [[], []]
    for kind in kinds:
        answers = [refusal(service, **kind) for _ in range(5)]
        for answer in answers:
            seen[answer.startswith(b"HTTP/1.1 429 ")].append(answer)
        assert answers[0] == answers[1] and any(answer in seen[1] for answer in answers[2:])
    assert len(set(seen[0])) == 1 and seen[0][0].startswith(b"HTTP/1.1 401 ")
    assert len(set(seen[1])) == 1


def test_a_strangers_failures_outlive_the_process(start_service):
    free = 5
    service = start_service(LOGIN_ATTEMPTS=free)
    name = unique_name()

    def guess(spelling):
        with service.client() as client:
            return client.post("/login", json={"identifier": spelling, "password": "wrong guess"}).status_code

    codes = slowed(lambda: guess(f"{name}@Example.org"))
    assert set(codes[:-1]) == {401} and len(codes) > free + 1
    service.restart()
    # Its last wait may be over by now; the next ones then are longer than the restart.
    assert len(slowed(lambda: guess(f"{name.upper()}@example.ORG"))) <= free
    assert guess(name) == 401


@pytest.mark.parametrize("method, path, members", [
    ("POST", "/password", {"current_password": "wrong guess", "new_password": "another good one"}),
    ("DELETE", "/profile", {"password": "wrong guess"}),
])
def test_one_record_counts_for_login_password_change_and_deletion(start_service, method, path, members):
    service = start_service(LOGIN_ATTEMPTS=2)

    with service.client() as client:
        def attempts(newcomer):
            name, tokens = newcomer
            login = lambda password: client.post("/login", json={"username": name, "password": password}).status_code
            guess = lambda: client.request(method, path, headers=bearer(tokens), json=members).status_code
            return [guess(), login("wrong guess"), guess(), login(PASSWORD)]

        assert in_time(1, service.newcomer, attempts) == [403, 401, 403, 429]


@pytest.mark.sqlite
@pytest.mark.parametrize("stored", ["", "no hash", "$2b$31$" + "a" * 53, "$2b$04$" + "a" * 52,
                                    "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43])
def test_a_hostile_stored_hash_is_internal_for_its_user_an_audit_event_and_nothing_else(start_service, stored):
    service = start_service()
    name, tokens = service.newcomer()
    with sqlite3.connect(service.directory / "var" / "doorward.db", timeout=30) as database:
        database.execute("UPDATE users SET password_hash = ? WHERE username = ?", (stored, name))
    database.close()
    other = service.register()["username"]
    with service.client() as client:
        answers = [client.post("/login", json={"username": name, "password": PASSWORD}),
                   client.request("DELETE", "/profile", headers=bearer(tokens), json={"password": PASSWORD})]
        assert [(a.status_code, a.json()["code"]) for a in answers] == [(500, "internal")] * 2
        assert client.post("/login", json={"username": other, "password": PASSWORD}).status_code == 200
    for action in ("login_failed", "password_failed"):
        event = service.wait_for_event(event="audit", action=action, reason="stored_hash")
        assert event["level"] == "error" and event["user_id"]
    assert stored == "" or stored not in service.stderr
