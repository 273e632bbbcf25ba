"""What the database may do to a write, seen by a client of the service: a success that is there, a clear conflict, or 503.

The rows are those of the drivers' own behaviour: an error once, twice or for a while, a lost reply once or twice, a write
concern error, silence, and no server at all. After each the database is looked at past the proxy.
"""
import base64

import pytest

import mongo
from service import PASSWORD, bearer, claims_of, random_master_key, unique_name, wait_until

pytestmark = pytest.mark.mongo

# What is sure to be got over, by the driver or by repeating, within the limits below; the write is there once.
GOT_OVER = [
    "fail 10107 {} 1", "fail 11600 {} 1", "fail 189 {} 1", "drop {} 1",  # one heartbeat later it goes well
    "lose {} 1",       # applied; the driver asks again with the same number
    "mute {} 1",       # applied; the same after the socket's timeout
    "concern 64 {} 1", "concern 91 {} 1",  # applied, and reported as failed
    "refuse 0.5s", "noprimary 0.5s", "failover 0.5s", "blackhole 0.5s",
]
# What may outlast a request's time: then it is 503, and nobody claims anything.
MAYBE = [
    "fail 10107 {} 2", "fail 91 {} 2s", "fail 11602 {} 3", "drop {} 3",
    "lose {} 2", "lose {} 4",  # applied, though reported as failed
    "concern 64 {} 5s", "mute {} 2",
    "refuse 2s", "noprimary 2s", "blackhole 1.5s", "noprimary 3s", "delay 1500 {} 3",
]
# Another try does not mend these.
REFUSED = ["fail 13 {} 5s", "fail 14031 {} 5s"]
SETTINGS = {"REFRESH_GRACE": 300, "MAX_SESSIONS_PER_USER": 100}
# So that what may outlast a request's time does so; what is sure to be got over has the tests' usual patience.
HURRIED = {"MONGO_SELECTION_TIMEOUT_MS": 2000, "MONGO_SOCKET_TIMEOUT_MS": 1000}
PATIENT = {"MONGO_SOCKET_TIMEOUT_MS": 4000}  # which "mute" takes


class World:
    """Two services on one database behind the proxy: `service` is asked, `hurried` as well, under faults that may outlast it."""

    def __init__(self, server, proxy, make):
        self.proxy = proxy
        self.name = mongo.unique_database()
        shared = {**SETTINGS, "DB_URI": proxy.uri(self.name, **mongo.QUICK), "MASTER_KEY": random_master_key()}
        self.service = make({**shared, **PATIENT}).start()
        self.hurried = mongo.supervise(make({**shared, **HURRIED}))
        self.server = server

    def post(self, path, members=None, tokens=None, method="POST", at=None):
        with (at or self.service).client() as client:
            return client.request(method, path, json=members, headers=bearer(tokens) if tokens else {})

    def under(self, fault, commands, is_got_over, *request, **options):
        """The answer to a request under this fault; the fault is over afterwards."""
        self.proxy(fault.format(commands))
        try:
            return self.post(*request, **options, at=self.service if is_got_over else self.hurried)
        finally:
            self.proxy("clear")
            wait_until(lambda: all(map(is_ready, (self.service, self.hurried))), "the services' return")

    def session(self, tokens):
        with mongo.looking_at(self.server, self.name) as database:
            return mongo.session_of(database, claims_of(tokens["access_token"])["sid"])

    def users(self, name):
        with mongo.looking_at(self.server, self.name) as database:
            return mongo.users_named(database, name)


def is_ready(service):
    with service.client() as client:
        return client.get("/readyz").status_code == 200


@pytest.fixture(scope="module")
def world(mongo_server, make):
    with mongo.proxy_for(mongo_server) as proxy:
        one = World(mongo_server, proxy, make)
        yield one
        for service in (one.service, one.hurried):
            service.stop()


def rows(*tables):
    return pytest.mark.parametrize("fault, is_got_over", [(fault, table is GOT_OVER) for table in tables for fault in table])


def is_done(answer, expected, is_got_over):
    """The success that this request has, or an honest 503."""
    if answer.status_code == 503 and not is_got_over:
        assert answer.json()["code"] == "store_unavailable" and 1 <= int(answer.headers["retry-after"]) <= 60
        return False
    assert answer.status_code == expected, answer.text
    return True


def counter_of(token):
    return int.from_bytes(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[21:29], "big")


@rows(GOT_OVER, MAYBE, REFUSED)
def test_who_registers_is_there_once_or_is_told_otherwise(world, fault, is_got_over):
    members = {"username": unique_name(), "password": PASSWORD}
    answer = world.under(fault, "insert", is_got_over, "/register", members)
    found = world.users(members["username"])
    if is_done(answer, 201, is_got_over):
        assert [str(user["_id"]) for user in found] == [answer.json()["user"]["id"]]
    else:
        assert len(found) <= 1
        again = world.post("/register", members)
        assert again.status_code in (201, 409) and len(world.users(members["username"])) == 1
    world.service.login(members["username"])


@rows(GOT_OVER, MAYBE, REFUSED)
def test_who_logs_in_has_a_session_or_is_told_otherwise(world, fault, is_got_over):
    name = world.service.register()["username"]
    login = {"username": name, "password": PASSWORD}
    answer = world.under(fault, "insert", is_got_over, "/login", login)
    if is_done(answer, 200, is_got_over):
        record = world.session(answer.json())
        assert record["counter"] == 0 and record.get("revoked_at") is None
        assert world.post("/refresh-token", {"refresh_token": answer.json()["refresh_token"]}).status_code == 200
    else:
        world.service.login(name)


@rows(GOT_OVER, MAYBE, REFUSED)
def test_a_refresh_advances_by_one_whatever_becomes_of_its_write(world, fault, is_got_over):
    _, tokens = world.service.newcomer()
    refresh = {"refresh_token": tokens["refresh_token"]}
    answer = world.under(fault, "findAndModify,update", is_got_over, "/refresh-token", refresh)
    counter = world.session(tokens)["counter"]
    if is_done(answer, 200, is_got_over):
        assert counter == counter_of(answer.json()["refresh_token"]) == 1
    else:
        assert counter in (0, 1)
    again = world.post("/refresh-token", refresh)
    assert again.status_code == 200 and world.session(tokens)["counter"] == 1
    assert answer.status_code == 503 or again.json()["refresh_token"] == answer.json()["refresh_token"]
    assert world.post("/refresh-token", {"refresh_token": again.json()["refresh_token"]}).status_code == 200


@rows(GOT_OVER, MAYBE, REFUSED)
def test_a_logout_is_one_or_is_told_otherwise(world, fault, is_got_over):
    _, tokens = world.service.newcomer()
    answer = world.under(fault, "writes", is_got_over, "/logout", tokens=tokens)
    if not is_done(answer, 204, is_got_over):
        again = world.post("/logout", tokens=tokens)
        assert again.status_code == 204 or again.json()["code"] == "token_revoked"
    assert world.session(tokens)["revoked_at"] is not None
    refused = world.post("/refresh-token", {"refresh_token": tokens["refresh_token"]})
    assert refused.status_code == 401
    wait_until(lambda: world.post("/verify", tokens=tokens, method="GET").status_code == 401, "the token's end")


@rows(["lose {} 1", "lose {} 2", "concern 64 {} 1", "drop {} 2", "failover 0.5s"])
def test_a_password_is_the_old_one_or_the_new(world, fault, is_got_over):
    name, tokens = world.service.newcomer()
    new = "another " + PASSWORD
    change = {"current_password": PASSWORD, "new_password": new}
    answer = world.under(fault, "findAndModify,update", False, "/password", change, tokens)
    by_old, by_new = [world.post("/login", {"username": name, "password": p}).status_code for p in (PASSWORD, new)]
    if is_done(answer, 204, False):
        assert (by_old, by_new) == (401, 200)
    else:
        assert sorted((by_old, by_new)) == [200, 401]


@rows(["lose {} 1", "lose {} 2", "concern 64 {} 1", "drop {} 2", "failover 0.5s"])
def test_an_account_is_deleted_or_is_told_otherwise(world, fault, is_got_over):
    name, tokens = world.service.newcomer()
    answer = world.under(fault, "findAndModify,update,delete", False, "/profile", {"password": PASSWORD}, tokens, method="DELETE")
    if is_done(answer, 204, False):
        assert world.users(name) == []
        assert world.post("/login", {"username": name, "password": PASSWORD}).status_code == 401
        if world.server.frees_names:
            world.service.register(username=name)


@rows(["fail 10107 {} 1", "drop {} 1", "drop {} 2", "lose {} 1", "mute {} 1", "fail 91 {} 1s", "failover 0.5s"])
def test_a_read_is_answered_or_503(world, fault, is_got_over):
    name, tokens = world.service.newcomer()
    answer = world.under(fault, "reads", False, "/profile", tokens=tokens, method="GET")
    if is_done(answer, 200, False):
        assert answer.json()["user"]["username"] == name


@pytest.mark.parametrize("fault", ["lose insert 1", "lose insert 2", "concern 64 insert 1"])
def test_a_name_that_is_taken_stays_a_conflict_under_faults(world, fault):
    members = world.service.register()
    answer = world.under(fault, "", False, "/register", members)
    assert answer.status_code == 503 or answer.json()["code"] == "user_exists", answer.text
    assert len(world.users(members["username"])) == 1


@pytest.mark.parametrize("option", ["retryWrites=false", "w=1", "readPreference=secondary", "readConcernLevel=local",
                                    "journal=false"])
def test_options_that_would_weaken_this_are_refused_at_start(world, new_service, option):
    service = new_service(DB_URI=f"{world.proxy.uri('doorward')}&{option}", MASTER_KEY=random_master_key()).launch()
    assert service.stop(None) in (1, 2)
    assert len(service.lines) == 1 and option.split("=")[0].lower() in service.lines[0].lower(), service.lines
