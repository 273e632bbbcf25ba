"""What the tests on MongoDB share: databases of their own, the fault proxy, and looks at what is really in the database."""
import contextlib
import itertools
import os
import uuid

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from servers import HERE, Proxy, running, uri_of  # noqa: F401 # the tests' names for them

from service import PATIENCE_S, wait_until

numbers = itertools.count()
# As in mongosh: standard UUIDs, dates in UTC.
OPTIONS = CodecOptions(uuid_representation=UuidRepresentation.STANDARD, tz_aware=True)
# A driver that finds a new primary soon, for tests that take the old one away.
QUICK = {"heartbeatFrequencyMS": 500}


def unique_database():
    return f"doorward_{os.getpid()}_{next(numbers)}_{os.urandom(3).hex()}"


def uris_for(server):
    """URIs of databases on this server. One that is no set gets a proxy that says so, which lives as long as the run."""
    front = server if server.is_set else Proxy(server)
    return lambda database, **options: front.uri(database, **options)


@contextlib.contextmanager
def proxy_for(server):
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.stop()


@contextlib.contextmanager
def own(server):
    """A server that one test may kill; a given one stays, and is not killed."""
    if not server.data_is_ours or server.is_single:
        yield server
    else:
        with running(type(server)) as another:
            yield another


@contextlib.contextmanager
def looking_at(server, database):
    """The database as it is, past every proxy."""
    with server.client() as client:
        yield client.get_database(database, codec_options=OPTIONS)


def database_of(uri):
    return pymongo.uri_parser.parse_uri(uri)["database"]


def supervise(service, patience_s=2 * PATIENCE_S):
    """Starts it again as often as its start finds no database within its limits, which ends it with a line that says so."""
    def starts():
        try:
            return service.start()
        except AssertionError:
            if service.process.poll() is None or "DB_URI" not in service.lines[-1]:
                raise
    return wait_until(starts, "a start that finds the database", patience_s)


def users_named(database, name):
    """The living records of this name: one, or none."""
    return list(database.users.find({"username": name}))


def session_of(database, sid):
    return database.sessions.find_one({"_id": uuid.UUID(sid)})
