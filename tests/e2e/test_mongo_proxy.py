"""The fault proxy itself: each fault is what it says, to the driver and in the database."""
import time

import pymongo
import pytest
from pymongo.errors import AutoReconnect, NotPrimaryError, OperationFailure, ServerSelectionTimeoutError, WriteConcernError

import mongo
from service import wait_until

pytestmark = pytest.mark.mongo


@pytest.fixture
def things(proxy, mongo_server):
    """A collection through the proxy, by a driver that never repeats a write, and the same past it."""
    proxy("clear")
    name = mongo.unique_database()
    with pymongo.MongoClient(proxy.uri(name), retryWrites=False, serverSelectionTimeoutMS=8000, heartbeatFrequencyMS=500,
                             socketTimeoutMS=5000) as client, mongo.looking_at(mongo_server, name) as database:
        client[name].things.insert_one({"_id": 0})
        yield client[name].things, database.things
        proxy("clear")
        database.client.drop_database(name)


def count(collection):
    return collection.count_documents({})


def test_it_looks_like_a_set_of_three(things):
    description = things[0].database.client.topology_description
    assert description.topology_type_name == "ReplicaSetWithPrimary" and len(description.server_descriptions()) == 3


@pytest.mark.parametrize("command, error, is_applied", [
    ("fail 11600 insert 1", NotPrimaryError, False), ("fail 121 insert 1", OperationFailure, False),
    ("concern 64 insert 1", WriteConcernError, True), ("lose insert 1", AutoReconnect, True),
    ("drop insert 1", AutoReconnect, False), ("mute insert 1", AutoReconnect, True)])
def test_a_fault_is_an_error_once_and_the_database_is_as_the_fault_says(proxy, things, command, error, is_applied):
    through, past = things
    proxy(command)
    with pytest.raises(error):
        through.insert_one({"_id": 1})
    assert count(past) == (2 if is_applied else 1)
    wait_until(lambda: not proxy("status")["faults"], "the fault's end")
    through.insert_one({"_id": 2})


def test_a_delay_delays_and_a_lie_is_one(proxy, things):
    through, past = things
    before = time.monotonic()
    proxy("delay 300 insert 1")
    through.insert_one({"_id": 1})
    assert time.monotonic() - before >= 0.3
    proxy("lie insert 1")
    assert through.insert_one({"_id": 2}).acknowledged
    assert count(past) == 2
    assert [entry[4] for entry in proxy("log 20") if entry[2] == "insert"][-2:] == ["delay", "lie"]


def test_a_set_without_a_primary_takes_nothing_and_a_failover_moves_it(proxy, things):
    through, past = things
    client = through.database.client
    first = client.primary
    before = time.monotonic()
    proxy("failover 1s")
    wait_until(lambda: is_inserted(through), "the next primary")
    assert time.monotonic() - before >= 1 and client.primary != first
    proxy("noprimary 60s")
    with pytest.raises((NotPrimaryError, ServerSelectionTimeoutError)):
        through.insert_one({"_id": 9})
    assert past.find_one({"_id": 9}) is None


def is_inserted(collection):
    try:
        return collection.insert_one({}).acknowledged
    except AutoReconnect:
        return False


def test_a_blackhole_holds_everything_and_lets_it_out_afterwards(proxy, things):
    through, past = things
    proxy("blackhole 60s")
    with pytest.raises(AutoReconnect):
        through.insert_one({"_id": 1})
    assert count(past) == 1
    proxy("clear")
    wait_until(lambda: is_inserted(through), "the way out")


def test_refused_connections_are_taken_again(proxy, things):
    through, _ = things
    proxy("refuse 60s")
    with pytest.raises(AutoReconnect):
        through.insert_one({"_id": 1})
    proxy("clear")
    wait_until(lambda: is_inserted(through), "new connections")


def test_what_is_no_command_is_refused(proxy):
    with pytest.raises(ValueError):
        proxy("explode 1s")
    with pytest.raises(ValueError):
        proxy("fail insert")
