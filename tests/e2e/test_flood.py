"""A flood drowns nobody: what cannot be served is refused at once, what nobody waits for is not hashed.

The story: a hash is the dearest thing that a stranger can ask for. Each test counts the engine's steps, of which a hash of
cost c takes 2^c, so that it holds on a busy machine as well. How much is served beside a flood: ./dev bench flood.
"""
import contextlib
import json
import re
import signal
import sqlite3
import statistics
import threading
import time

import pytest

from service import PASSWORD, free_port, in_parallel, read_answer, unique_name, wait_until

COST = 8
STEPS = 1 << COST
TRIES = 6  # a machine that stands still for a second spoils one


@pytest.fixture
def start_measured(new_service):
    """A service with metrics, in a session of its own: see test_fairness.py."""
    def start(**settings):
        settings = {"BCRYPT_COST": COST, "LOG_LEVEL": "warn", "METRICS_PORT": free_port(), **settings}
        return new_service(**settings).start(start_new_session=True)
    return start


def metric(service, name):
    found = re.search(rf"^{re.escape(name)} (\d+)", service.metrics(), re.M)
    return int(found[1]) if found else 0


def steps(service):
    return metric(service, "doorward_password_steps_total")


def waiting(service):
    return metric(service, 'doorward_queue_depth{class="login"}')


def refused(service, cause):
    return metric(service, f'doorward_refused_total{{cause="{cause}"}}')


def login_request(name, password=PASSWORD):
    body = json.dumps({"username": name, "password": password}).encode()
    return b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def log_in(service, name):
    with service.client() as client:
        return client.post("/login", json={"username": name, "password": PASSWORD}).status_code


class Eager:
    """One connection that asks again as soon as it has its answer, whatever that says."""

    def __init__(self, connection, request):
        self.connection, self.request, self.answers = connection, request, []

    def run(self, stop):
        rest = b""
        while not stop.is_set():
            self.connection.sendall(self.request)
            status, headers, body, rest = read_answer(self.connection, rest)
            self.answers.append((status, headers.get("retry-after"), body))


@contextlib.contextmanager
def flood_of(service, count):
    """`count` eager connections, while the body runs."""
    request = login_request(service.register()["username"])
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        flood = [Eager(stack.enter_context(service.raw()), request) for _ in range(count)]
        threads = [threading.Thread(target=one.run, args=(stop,)) for one in flood]
        for thread in threads:
            thread.start()
        try:
            yield flood
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def test_eager_clients_are_refused_with_retry_after_and_afterwards_a_login_is_served_at_once(start_measured):
    service = start_measured(LOGIN_DEADLINE_MS=20, PASSWORD_WORKERS=2, REFUSAL_PAUSE_MS=50)
    name = service.register()["username"]
    with flood_of(service, 24) as flood:
        wait_until(lambda: sum(a[0] == 503 for one in flood for a in list(one.answers)) > 50, "refusals")
        wait_until(lambda: sum(a[0] == 200 for one in flood for a in list(one.answers)) > 5, "good logins in the flood")
    answers = [answer for one in flood for answer in one.answers]
    assert {status for status, _, _ in answers} == {200, 503}
    for status, retry_after, body in answers:
        assert status == 200 or (1 <= int(retry_after) <= 60 and json.loads(body)["code"] == "overloaded")
    # Nothing is left of the flood: the next login is the only one that is hashed.
    wait_until(lambda: waiting(service) == 0 and metric(service, "doorward_password_lanes") == 0, "an idle engine")
    before = steps(service)
    # Refused only where the machine stood still for longer than the deadline.
    wait_until(lambda: log_in(service, name) == 200, "a login")
    assert steps(service) - before == STEPS
    assert service.stop() == 0


def test_a_proxy_that_carries_many_users_is_refused_without_a_pause_and_with_retry_after(start_measured):
    service = start_measured(BCRYPT_COST=9, LOGIN_DEADLINE_MS=10, PASSWORD_WORKERS=2, REFUSAL_PAUSE_MS=5000,
                             TRUSTED_PROXIES="127.0.0.1")
    name = service.register()["username"]

    def log_in(index):
        taken = []
        with service.client() as client:
            for turn in range(6):
                began = time.monotonic()
                answer = client.post("/login", json={"username": name, "password": PASSWORD},
                                     headers={"X-Forwarded-For": f"10.0.{index}.{turn}"})
                assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1
                taken.append((answer.status_code, time.monotonic() - began))
        return taken

    taken = [one for row in in_parallel(16, log_in) for one in row]
    refusals = [seconds for status, seconds in taken if status == 503]
    # By the median: this machine may stand still for as long as a pause takes, and a pause would be all of theirs.
    assert refusals and statistics.median(refusals) < 3.5, taken


def hang_up_while_waiting(service, name, count):
    """Two logins hold both workers, `count` more wait and hang up: the steps that all of it took, and how many waited."""
    before, gone = steps(service), refused(service, "gone")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(service.raw()) for _ in range(2)]
        leaving = [stack.enter_context(service.raw()) for _ in range(count)]
        for connection in held:
            connection.sendall(login_request(name))
        wait_until(lambda: metric(service, "doorward_password_lanes") == 2, "two lanes in use")
        for connection in leaving:
            connection.sendall(login_request(name))
        wait_until(lambda: waiting(service) == count or metric(service, "doorward_password_lanes") < 2, "the queue")
        for connection in leaving:
            connection.close()
        assert [read_answer(connection)[0] for connection in held] == [200, 200]
    wait_until(lambda: waiting(service) == 0 and metric(service, "doorward_password_lanes") == 0, "an idle engine")
    return steps(service) - before, refused(service, "gone") - gone


def test_a_job_whose_client_has_gone_is_dropped_before_it_takes_a_step(start_measured):
    service = start_measured(BCRYPT_COST=13, LOGIN_DEADLINE_MS=60000, PASSWORD_WORKERS=2, PASSWORD_QUEUE=64)
    name = service.register()["username"]
    for _ in range(TRIES):
        found = hang_up_while_waiting(service, name, 20)
        if found == (2 << 13, 20):
            break
    assert found == (2 << 13, 20)


def test_a_password_of_a_mebibyte_and_one_a_byte_over_the_limit_are_refused_unhashed(start_measured):
    service = start_measured(MAX_BODY_BYTES=4 << 20)
    name = service.register()["username"]
    before = steps(service)
    with service.client() as client:
        for path, username in (("/login", name), ("/register", unique_name())):
            for length, refusal in ((1 << 20, (413, "body_too_large")), (1025, (422, "invalid_input"))):
                answer = client.post(path, json={"username": username, "password": "x" * length})
                assert (answer.status_code, answer.json()["code"]) == refusal
    assert steps(service) == before


def test_nul_and_invalid_utf8_are_refused_unhashed(start_measured):
    service = start_measured()
    name = service.register()["username"].encode()
    before = steps(service)
    with service.client() as client:
        def post(path, password):
            answer = client.post(path, content=b'{"username":"%b","password":"%b"}' % (name, password),
                                 headers={"Content-Type": "application/json"})
            return answer.status_code, answer.json()["code"]
        for path in ("/login", "/register"):
            assert post(path, rb"long enough\u0000") == (422, "invalid_input")
            assert post(path, b"long enough\xff") == (400, "invalid_json")
            assert post(path, b"long enough\xed\xa0\x80") == (400, "invalid_json")
    assert steps(service) == before


@pytest.mark.sqlite
def test_hostile_stored_hashes_take_no_step_and_disturb_nobody_else(start_measured):
    service = start_measured()
    bad, good = service.register()["username"], service.register()["username"]
    hostile = ["$2b$31$" + "." * 53, f"$2b$08${'.' * 52}", "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
               "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$" + "A" * 43, "$scrypt$ln=31,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
               "$pbkdf2-sha256$4000000000$c2FsdHNhbHQ$" + "A" * 43, "$6$rounds=999999999$salt$" + "." * 86]
    for stored in hostile:
        with contextlib.closing(sqlite3.connect(service.directory / "var" / "doorward.db", timeout=30)) as database, database:
            database.execute("UPDATE users SET password_hash = ? WHERE username = ?", (stored, bad))
        before, events = steps(service), len(service.events)
        with service.client() as client:
            answer = client.post("/login", json={"username": bad, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (500, "internal"), (stored, answer.text)
        assert steps(service) == before, stored
        wait_until(lambda: any(e.get("reason") == "stored_hash" for e in service.events[events:]), "the audit event")
        service.login(good)
        assert steps(service) - before == STEPS


def test_a_signal_at_any_moment_of_the_kernels_measurement_ends_the_service_cleanly(new_service):
    for moment in range(5):
        service = new_service(LOG_LEVEL="info").launch()
        wait_until(lambda: (service.directory / "var" / "tls.crt").exists() or service.process.poll() is not None, "the start")
        time.sleep(moment * 0.1)
        service.process.send_signal(signal.SIGTERM)
        # Before the handlers stand, the signal's own effect is right as well.
        assert service.stop(None) in (0, -signal.SIGTERM)
