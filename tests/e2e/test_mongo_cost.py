"""What a request costs the database: the commands of each, as the fault proxy hears them."""
import pytest

import mongo
from service import bearer, random_master_key, refresh

pytestmark = pytest.mark.mongo
WRITES = {"insert", "update", "delete", "findAndModify", "findandmodify", "bulkWrite"}
RECORDS = {"users", "sessions", "strangers"}  # not what every process tends in the background


@pytest.fixture(scope="module")
def proxy_of_our_own(mongo_server):
    with mongo.proxy_for(mongo_server) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def service(make, proxy_of_our_own):
    uri = proxy_of_our_own.uri(mongo.unique_database(), **mongo.QUICK)
    one = make({"DB_URI": uri, "MASTER_KEY": random_master_key(), "LOGIN_ATTEMPTS": 5,
                "BCRYPT_COST": 4, "DEVELOPMENT": 1}).start()
    yield one
    one.stop()


@pytest.fixture
def commands(proxy_of_our_own):
    """What a piece of work asks of the records: its writes and its reads, as (command, collection)."""
    def during(work):
        before = len(proxy_of_our_own("log 5000"))
        work()
        heard = [(entry[2], entry[5]) for entry in proxy_of_our_own("log 5000")[before:] if entry[5] in RECORDS]
        return [c for c in heard if c[0] in WRITES], [c for c in heard if c[0] not in WRITES]
    return during


def guess(service, name):
    with service.client() as client:
        return client.post("/login", json={"username": name, "password": "wrong password"}).status_code


def test_every_login_is_two_writes_however_many_there_are(service, commands):
    name = service.register()["username"]
    for _ in range(12):  # more than are free
        writes, reads = commands(lambda: service.login(name))
        assert len(writes) == 2 and {collection for _, collection in writes} == {"users", "sessions"}
        assert len(reads) <= 4


def test_a_login_after_wrong_passwords_is_two_writes_and_forgets_them(service, commands):
    name = service.register()["username"]
    for _ in range(3):
        for _ in range(4):
            writes, _ = commands(lambda: guess(service, name))
            assert len(writes) == 1
        writes, _ = commands(lambda: service.login(name))
        assert len(writes) == 2


def test_a_stranger_costs_what_a_wrong_password_costs(service, commands):
    """Tried or refused, as the waits have it."""
    name = service.register()["username"]
    service.login(name)
    costs = {name: {}, name + "x": {}}
    for _ in range(12):
        for one, by_status in costs.items():
            statuses = []
            heard = commands(lambda one=one: statuses.append(guess(service, one)))
            by_status.setdefault(statuses[0], []).append([[command for command, _ in kind] for kind in heard])
    of_user, of_stranger = ({status: {str(cost) for cost in of} for status, of in by_status.items()}
                            for by_status in costs.values())
    assert of_user == of_stranger and set(of_user) == {401, 429}


def test_a_refresh_is_one_write_and_a_profile_one_read(service, commands):
    _, tokens = service.newcomer()
    with service.client() as client:
        writes, reads = commands(lambda: refresh(client, tokens["refresh_token"]))
        assert len(writes) == 1 and len(reads) <= 1
        writes, reads = commands(lambda: client.get("/profile", headers=bearer(tokens)))
        assert not writes and len(reads) == 1
