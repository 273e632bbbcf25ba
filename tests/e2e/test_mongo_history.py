"""32 clients over three services on one database, while primaries change and processes are killed; and the checker itself."""
import base64
import collections
import copy
import itertools
import random
import time
import uuid

import httpx
import pytest

import mongo
from history import OK, REFUSED, Event, Final, History, Recovery, check, clients_over, final_of, parts_of
from service import PASSWORD, in_parallel, random_master_key, wait_until

pytestmark = pytest.mark.mongo

CLIENTS = 32
PAUSE_S = 120  # in which a machine that is busy with other things gets round to this
SETTINGS = {"TLS": "off", "scheme": "http", "LOG_LEVEL": "info", "MONGO_SOCKET_TIMEOUT_MS": 1000,
            # Whoever was not answered asks again, maybe late; and asks often.
            "REFRESH_GRACE": 300, "LOGIN_ATTEMPTS": 1000, "MAX_SESSIONS_PER_USER": 200}


# ---- the checker, on histories that were made up

def token(sid, counter, mac=b"\0"):
    raw = b"\1" + b"mkid" + uuid.UUID(sid).bytes + counter.to_bytes(8, "big") + mac * 32
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


SID = "019a0000-0000-7000-8000-000000000001"


def event(kind, started, outcome=OK, service=0, **members):
    return Event(kind, 0, service, started, started + 0.1, outcome, sid="" if kind == "register" else SID, **members)


@pytest.fixture
def good():
    """A history that hangs together, and its database."""
    history = History()
    history.events = [
        event("register", 0, name="ann"), event("login", 1, name="ann", child=token(SID, 0)),
        event("refresh", 2, token=token(SID, 0), child=token(SID, 1)),
        event("refresh", 2.05, service=1, token=token(SID, 0), child=token(SID, 1)),
        event("verify", 3), event("logout", 4), event("verify", 4.5, service=1),
        event("verify", 7, REFUSED, service=1, code="token_revoked"),
        event("refresh", 8, REFUSED, token=token(SID, 1), code="invalid_refresh_token")]
    return history, Final(collections.Counter(ann=1), {SID: (1, True)})


def test_a_good_history_is_good(good):
    assert parts_of(token(SID, 7)) == (SID, 7)
    assert check(*good) == []


@pytest.mark.parametrize("planted, told", [
    (event("register", 5, name="bob"), "is there 0 times"),
    (event("login", 5, REFUSED, name="ann", code="invalid_credentials"), "could not log in"),
    (event("verify", 9, service=2), "was alive at service 2"),
    (event("refresh", 9, token=token(SID, 1), child=token(SID, 2)), "after its logout"),
    (event("refresh", 3, token=token(SID, 0), child=token(SID, 1, b"x")), "has 2 heads"),
    (event("refresh", 3, token=token(SID, 0), child=token(SID, 3)), "has the children"),
    (event("refresh", 3, REFUSED, token=token(SID, 1), code="refresh_token_reused"), "lives, and its refresh was refused"),
    (event("logout", 9, REFUSED, code="invalid_token"), "could not be logged out")])
def test_a_planted_event_is_found(good, planted, told):
    history, final = copy.deepcopy(good)
    history.events.append(planted)
    assert any(told in problem for problem in check(history, final)), check(history, final)


def test_a_machine_that_stood_still_is_no_late_refusal(good):
    history, final = good
    late = event("verify", 6.9, service=2)
    history.events.append(late)
    assert check(history, final) != []
    history.events.append(Event("verify", 1, 2, 4.2, 6.8, OK, sid=SID))
    assert check(history, final) == []


@pytest.mark.parametrize("final, told", [
    (Final(collections.Counter(ann=2), {SID: (1, True)}), "is there 2 times"),
    (Final(collections.Counter(ann=1), {SID: (0, True)}), "is at 0, acknowledged was 1"),
    (Final(collections.Counter(ann=1), {SID: (1, False)}), "is not revoked"),
    (Final(collections.Counter(ann=1), {}), "is not there")])
def test_a_database_that_lost_something_is_found(good, final, told):
    assert any(told in problem for problem in check(good[0], final))


def test_recoveries_that_take_long_are_found(good):
    good[0].recoveries = [Recovery("a failover", seconds, 0.01) for seconds in (9.0, 4.9, 1.0)]
    good[0].recoveries += [Recovery("a kill", 5.2, 0.01), Recovery("a kill on a busy machine", 8.0, 0.5)]
    assert check(*good) == ["the service came back 5.2 s after a kill was over; 0.01 s is usual for an answer"]


# ---- the real thing

class World:
    """Three services and the proxy in front of a server of their own."""
    def __init__(self, server, proxy, new_service):
        self.server, self.proxy, self.name = server, proxy, mongo.unique_database()
        settings = {**SETTINGS, "DB_URI": proxy.uri(self.name, **mongo.QUICK), "MASTER_KEY": random_master_key()}
        self.services = [new_service(**settings) for _ in range(3)]
        in_parallel(3, lambda i: mongo.supervise(self.services[i]))
        self.probe = self.services[0].newcomer()[0]

    def final(self):
        with mongo.looking_at(self.server, self.name) as database:
            return final_of(database)

    def can_write(self, service):
        try:
            with httpx.Client(base_url=service.url, timeout=10, verify=False) as client:
                answer = client.post("/login", json={"username": self.probe, "password": PASSWORD})
                return answer.status_code == 200
        except httpx.HTTPError:
            return False

    def recover(self, history, what, over_at):
        """Waits until every service writes again; the time from when the fault was over is what counts."""
        in_parallel(3, lambda i: wait_until(lambda: self.can_write(self.services[i]), f"the return of {i} after {what}", PAUSE_S))
        seconds, before = time.monotonic() - over_at, time.monotonic()
        in_parallel(3, lambda i: self.can_write(self.services[i]))
        history.recoveries.append(Recovery(what, seconds, time.monotonic() - before))

    # ---- faults

    def fail_over(self, history, round_):
        seconds = (0.3, 1.0, 2.5)[round_ % 3]
        with history.fault("a failover"):
            self.proxy(f"failover {seconds}s")
            time.sleep(seconds)  # the length of the fault is what is varied
            self.recover(history, "a failover", time.monotonic())

    def kill_a_service(self, history, round_):
        service = self.services[round_ % 3]
        with history.fault("a service's kill"):
            service.kill()
            mongo.supervise(service)
            self.recover(history, "a service's kill", time.monotonic())

    def kill_the_server(self, history, _):
        with history.fault("the server's kill"):
            self.server.kill()
            self.proxy("cut")
            self.server.start()
            self.recover(history, "the server's kill", time.monotonic())


@pytest.fixture
def world(mongo_server, new_service, request):
    """On a server of its own where the test's one is ours to kill."""
    with mongo.own(mongo_server) as server, mongo.proxy_for(server) as proxy:
        yield World(server, proxy, new_service)
        for service in new_service.made:
            service.stop()


def check_world(world, history):
    problems = check(history, world.final())
    print(history.summary(), history.times_of_recoveries())
    assert not problems, "\n".join(problems[:20])
    assert len(history.of("refresh", OK)) > CLIENTS and len(history.of("logout", OK)) > 0


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.long)])
def test_failovers_lose_nothing_that_was_acknowledged(world, rounds):
    with clients_over(world.services, CLIENTS) as history:
        for round_ in range(rounds):
            time.sleep(0.5 + random.random())  # the moment of the fault is what is varied
            world.fail_over(history, round_)
    check_world(world, history)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.long)])
def test_kills_lose_nothing_that_was_acknowledged(world, rounds):
    kinds = [world.kill_a_service, world.kill_the_server] if world.server.data_is_ours else [world.kill_a_service]
    with clients_over(world.services, CLIENTS) as history:
        for round_, kill in zip(range(rounds), itertools.cycle(kinds)):
            time.sleep(0.5 + random.random())
            kill(history, round_)
    check_world(world, history)


@pytest.mark.parametrize("command, kind, told", [("insert", "register", "is not there"), ("update", "logout", "session")])
def test_a_database_that_acknowledges_and_forgets_is_found_out(world, command, kind, told):
    """The positive control: without it, a checker that finds nothing proves nothing."""
    count = 8
    with clients_over(world.services, count) as history:
        wait_until(lambda: len(history.of("refresh", OK)) > 16, "refreshes")
        world.proxy(f"lie {command} 600s")
        honest = len(history.of(kind, OK)) + count  # and one of each that is under way
        wait_until(lambda: len(history.of(kind, OK)) > honest, "a lie that was believed")
        world.proxy("clear")
        time.sleep(1)  # some life afterwards
    assert any(told in problem for problem in check(history, world.final()))
