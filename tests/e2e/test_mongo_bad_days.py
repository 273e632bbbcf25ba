"""The database is away, slow, full or from another time; and the service says so, keeps verifying, and comes back by itself."""
import contextlib
import threading
import uuid

import pytest

import mongo
from service import PASSWORD, bearer, in_parallel, in_time, unique_name, wait_until

pytestmark = pytest.mark.mongo

SELECTION_MS, SOCKET_MS = 1000, 1000
# libmongoc bounds no call: its bound is one selection and two waits for the socket.
BOUND_S = (SELECTION_MS + 2 * SOCKET_MS) / 1000
PAUSES_S = 2  # of this machine; where it stands still for longer, one of several tries is in time
TRIES = 6


@pytest.fixture
def start_behind(proxy, new_service):
    """A service behind the proxy, with short limits."""
    def start(**settings):
        uri = proxy.uri(mongo.unique_database(), **mongo.QUICK)
        limits = {"MONGO_SELECTION_TIMEOUT_MS": SELECTION_MS, "MONGO_SOCKET_TIMEOUT_MS": SOCKET_MS, "MONGO_POOL_WAIT_MS": 500,
                  "STORE_DEADLINE_MS": 1000}
        return mongo.supervise(new_service(**{**limits, "DB_URI": uri, **settings}))

    yield start
    proxy("clear")


def refresh(service, tokens):
    with service.client() as client:
        return client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]})


def check_unavailable(answer):
    assert answer.status_code == 503 and answer.json()["code"] in ("store_unavailable", "overloaded"), answer.text
    assert int(answer.headers["retry-after"]) >= 1


def readiness(service):
    with service.client() as client:
        return client.get("/readyz").status_code


class Verifier(threading.Thread):
    """Asks /verify all the time, on one connection."""
    def __init__(self, service, tokens):
        super().__init__()
        self.service, self.tokens, self.over = service, tokens, threading.Event()
        self.statuses, self.count = set(), 0

    def run(self):
        with self.service.client() as client:
            while not self.over.is_set():
                self.statuses.add(client.get("/verify", headers=bearer(self.tokens)).status_code)
                self.count += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def check_told_in_time(service, tokens, verifier):
    """A refresh is refused within its limits, and tokens are verified while it waits for the database: as many as when all is well
    would be in a small part of its time."""
    def ask(seen):
        check_unavailable(refresh(service, tokens))
        return verifier.count - seen

    meanwhile = in_time(BOUND_S + PAUSES_S, lambda: verifier.count, ask, TRIES)
    assert meanwhile > 5 or any(ask(verifier.count) > 5 for _ in range(TRIES))


AWAY = ["blackhole 600s", "noprimary 600s", "fail 11600 all 600s",
        *(pytest.param(away, marks=pytest.mark.long) for away in ("refuse 600s", "mute all 600s", "drop all 600s"))]


@pytest.mark.parametrize("away", AWAY)
def test_a_database_that_is_away_is_503_and_holds_up_nothing_else(start_behind, proxy, away):
    service = start_behind()
    tokens = service.newcomer()[1]
    with Verifier(service, tokens) as verifier:
        wait_until(lambda: verifier.count > 5, "verifications")
        proxy(away)
        check_told_in_time(service, tokens, verifier)
        wait_until(lambda: readiness(service) == 503, "readyz 503")
        seen = verifier.count
        wait_until(lambda: verifier.count > seen + 20, "verifications")
        proxy("clear")
        wait_until(lambda: readiness(service) == 200, "readyz 200")
        wait_until(lambda: refresh(service, tokens).status_code == 200, "a refresh")
    assert verifier.statuses == {200}
    with service.client() as client:
        assert client.get("/healthz").status_code == 200


def test_many_requests_at_a_database_that_is_away_are_all_told_in_time(start_behind, proxy):
    service = start_behind(MONGO_POOL=4)
    tokens = service.newcomer()[1]
    clients = [service.client() for _ in range(24)]
    with contextlib.ExitStack() as stack, Verifier(service, tokens) as verifier:
        for one in clients:
            stack.enter_context(one)
        proxy("blackhole 600s")
        for answer in in_time(2 * BOUND_S + 3 * PAUSES_S, lambda: None, lambda _: in_parallel(
                24, lambda i: clients[i].get("/profile", headers=bearer(tokens))), TRIES):
            check_unavailable(answer)
        proxy("clear")
        wait_until(lambda: readiness(service) == 200, "readyz 200")
        ask = lambda i: clients[i].get("/profile", headers=bearer(tokens)).status_code
        wait_until(lambda: set(in_parallel(24, ask)) == {200}, "profiles for all")
        # Connections are taken up again as they are needed, and no more than the pool has.
        assert max(proxy("status")["connections"]) <= 4 + 2
    assert verifier.statuses == {200}


def test_a_database_that_takes_five_seconds_is_503_in_time(start_behind, proxy):
    service = start_behind()
    tokens = service.newcomer()[1]
    with Verifier(service, tokens) as verifier:
        proxy("delay 5000 all 600s")
        check_told_in_time(service, tokens, verifier)
        proxy("clear")
        wait_until(lambda: readiness(service) == 200, "readyz 200")
        wait_until(lambda: refresh(service, tokens).status_code == 200, "a refresh")
    assert verifier.statuses == {200}


def test_a_call_that_was_slow_begins_nothing_more(start_behind, proxy):
    """A registration of an e-mail that is taken asks four times. Here each answer is in time, but one is lost and all are slow:
    the last would begin later than the call may begin anything."""
    service = start_behind(MONGO_SELECTION_TIMEOUT_MS=300, MONGO_SOCKET_TIMEOUT_MS=3000)  # 6.3 s
    email = f"{unique_name()}@example.org"

    def register(**members):
        with service.client() as client:
            return client.post("/register", json={"email": email, "password": PASSWORD, **members})

    def is_told():
        return any("no time is left" in e.get("reason", "") for e in service.events)

    wait_until(lambda: register().status_code in (201, 409), "a registration")
    for _ in range(TRIES):  # where the machine stands still as well, a call ends otherwise
        proxy("mute insert 1")
        proxy("delay 1200 insert,find 600s")
        answer = register(username=unique_name())
        proxy("clear")
        if is_told():
            break
    check_unavailable(answer)
    assert is_told()


def test_a_pool_that_is_used_up_is_503_and_is_there_again(start_behind, proxy):
    service = start_behind(MONGO_POOL=1, MONGO_POOL_WAIT_MS=200, MONGO_SOCKET_TIMEOUT_MS=3000)
    tokens = service.newcomer()[1]
    clients = [service.client() for _ in range(8)]
    with contextlib.ExitStack() as stack:
        for one in clients:
            stack.enter_context(one)
        proxy("delay 1500 aggregate 4s")
        answers = in_parallel(8, lambda i: clients[i].get("/profile", headers=bearer(tokens)))
        refused = [a for a in answers if a.status_code != 200]
        assert refused
        for answer in refused:
            check_unavailable(answer)
        proxy("clear")
        wait_until(lambda: all(one.get("/profile", headers=bearer(tokens)).status_code == 200 for one in clients), "the pool")


def test_a_full_disk_there_is_503_and_heals(start_behind, proxy):
    service = start_behind()
    tokens = service.newcomer()[1]
    proxy("fail 14031 writes 600s")
    check_unavailable(refresh(service, tokens))
    with service.client() as client:
        check_unavailable(client.post("/register", json={"username": unique_name(), "password": PASSWORD}))
        wait_until(lambda: client.get("/profile", headers=bearer(tokens)).status_code == 200, "a profile")
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
    wait_until(lambda: readiness(service) == 503, "readyz 503")
    proxy("clear")
    wait_until(lambda: readiness(service) == 200, "readyz 200")
    wait_until(lambda: refresh(service, tokens).status_code == 200, "a refresh")


def test_rights_that_were_taken_away_are_503_and_said(start_behind, proxy):
    service = start_behind()
    tokens = service.newcomer()[1]
    proxy("fail 13 writes 600s")
    check_unavailable(refresh(service, tokens))
    wait_until(lambda: any(e.get("level") in ("error", "warn") and "13" in str(e.get("code")) for e in service.events),
               "the line that says so")
    proxy("clear")
    wait_until(lambda: refresh(service, tokens).status_code == 200, "a refresh")


def test_a_server_that_is_killed_and_started_again_is_found_again(mongo_server, start_service):
    if not mongo_server.data_is_ours:
        pytest.skip("the server is not ours to kill")
    with mongo.own(mongo_server) as server:
        service = start_service(DB_URI=mongo.uris_for(server)(mongo.unique_database(), **mongo.QUICK))
        name, tokens = service.newcomer()
        server.kill()
        check_unavailable(refresh(service, tokens))
        server.start()
        wait_until(lambda: readiness(service) == 200, "readyz 200")
        assert refresh(service, tokens).status_code == 200
        assert service.login(name)


# ---- starting on what is there

def refused(service, *words):
    service.launch()
    assert service.stop(None) in (1, 2)
    assert len(service.lines) == 1 and all(word in service.lines[0] for word in words), service.lines


def test_a_server_that_is_not_there_stops_the_start_in_time(new_service):
    settings = {"DB_URI": "mongodb://127.0.0.1:1/doorward", "MONGO_SELECTION_TIMEOUT_MS": SELECTION_MS}
    in_time(SELECTION_MS / 1000 + 5, lambda: new_service(**settings), lambda service: refused(service, "DB_URI", "127.0.0.1:1"))


@pytest.fixture
def old(mongo_server, new_store):
    """Settings of a store, and its database as it is."""
    settings = new_store()
    with mongo.looking_at(mongo_server, mongo.database_of(settings["DB_URI"])) as database:
        yield settings, database


@pytest.mark.parametrize("field", ["username_key", "email"])
def test_old_duplicates_stop_the_start_which_says_which(old, new_service, field):
    settings, database = old
    old_ones = [{"_id": uuid.uuid4(), "username_key": f"ann{i}", "email": f"{i}@example.org", field: "sam@example.org"} for i in range(2)]
    database.users.insert_many(old_ones)
    service = new_service(**settings)
    refused(service, field, "users")
    assert any(str(one["_id"]) in service.lines[0] for one in old_ones) and "sam@" not in service.lines[0]
    database.users.delete_many({})
    new_service(**settings).start().newcomer()


def test_a_newer_schema_stops_the_start_and_nothing_is_touched(old, new_service, start_service):
    settings, database = old
    start_service(**settings).stop()
    version = database.meta.find_one({"_id": "schema"})["version"]
    database.meta.update_one({"_id": "schema"}, {"$set": {"version": version + 1}})
    database.users.drop_indexes()
    refused(new_service(**settings), "newer")
    assert list(database.users.index_information()) == ["_id_"]
    database.meta.update_one({"_id": "schema"}, {"$set": {"version": version}})
    start_service(**settings).newcomer()


def test_a_hostile_record_is_an_error_of_that_user_alone(old, start_service):
    settings, database = old
    service = start_service(**settings)
    bad, good = service.register()["username"], service.register()["username"]
    for change in ({"password_hash": 5}, {"password_hash": {"$gt": ""}}, {"password_hash": ""}, {"roles": "admin"},
                   {"session_epoch": "three"}):
        database.users.update_one({"username": bad}, {"$set": change})
        with service.client() as client:
            answer = client.post("/login", json={"username": bad, "password": PASSWORD})
        assert answer.status_code == 500 and answer.json()["code"] == "internal", (change, answer.text)
    service.login(good)
    assert readiness(service) == 200
