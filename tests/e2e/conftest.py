import os
import tempfile

import pytest

import contract
import mongo
from service import Service, in_parallel, random_master_key

SEEN_DIRECTORY = "contract_seen"


def pytest_addoption(parser):
    parser.addoption("--backend", choices=["sqlite", "mongo"], default="sqlite",
                     help="what the services keep their users in; mongo: tests/mongo/servers.py says which server")


def pytest_collection_modifyitems(config, items):
    """The tests that are for the other backend are no tests of this run."""
    other = {"sqlite": "mongo", "mongo": "sqlite"}[config.getoption("backend")]
    deselected = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if not item.get_closest_marker(other)]


def pytest_configure_node(node):
    """xdist: every worker leaves what it saw of the contract in one directory of the run."""
    if not hasattr(node.config, SEEN_DIRECTORY):
        setattr(node.config, SEEN_DIRECTORY, tempfile.mkdtemp())
    node.workerinput[SEEN_DIRECTORY] = getattr(node.config, SEEN_DIRECTORY)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """After a whole run (CONTRACT=whole): what openapi.yaml promises and no test has seen is a failure."""
    worker = getattr(session.config, "workerinput", None)
    if worker:
        contract.remember(worker[SEEN_DIRECTORY])
        return
    directory = getattr(session.config, SEEN_DIRECTORY, None)
    if directory and os.environ.get("CONTRACT") == "whole":
        unseen = sorted(contract.CONTRACT.unseen(contract.recall(directory)))
        if unseen:
            print(f"\nopenapi.yaml promises what no test has seen: {', '.join(unseen)}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def mongo_server():
    """The server of this run, or of this worker of it."""
    with mongo.running() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(mongo_server):
    """The fault proxy in front of it."""
    with mongo.proxy_for(mongo_server) as one:
        yield one


@pytest.fixture(autouse=True)
def _frees_names(request):
    if request.node.get_closest_marker("frees_names") and request.config.getoption("backend") == "mongo" \
            and not request.getfixturevalue("mongo_server").frees_names:
        pytest.skip("this server keeps names that were given up")


@pytest.fixture(scope="session")
def new_store(request, tmp_path_factory):
    """Settings of a store with nothing in it, which several services may share."""
    if request.config.getoption("backend") == "sqlite":
        return lambda: {"DB_URI": f"sqlite:{tmp_path_factory.mktemp('store')}/doorward.db",
                        "MASTER_KEY": random_master_key()}
    uri_of = mongo.uris_for(request.getfixturevalue("mongo_server"))
    return lambda: {"DB_URI": uri_of(mongo.unique_database()), "MASTER_KEY": random_master_key()}


@pytest.fixture(scope="session")
def make(request, tmp_path_factory):
    """A service, not started; on MongoDB with a database of its own unless the settings name one."""
    def make_one(settings):
        if request.config.getoption("backend") == "mongo":
            settings = {**request.getfixturevalue("new_store")(), **settings}
        return Service(tmp_path_factory.mktemp("doorward"), **settings)

    return make_one


@pytest.fixture(scope="module")
def service(request, make):
    """One running service for a module's tests, with the module's SETTINGS; accounts have names of their own."""
    running = make(getattr(request.module, "SETTINGS", {})).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_service(make):
    """Starts services with settings of the test's own: start_service(COOKIES="off")."""
    running = []

    def start(*arguments, **settings):
        running.append(make(settings))
        return running[-1].start(*arguments)

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def new_service(make):
    """The same, but not started."""
    made = []

    def new(**settings):
        made.append(make(settings))
        return made[-1]

    new.made = made
    yield new
    for one in made:
        one.stop()


@pytest.fixture
def start_services(make, new_store):
    """Starts several on one store, all at the same time: start_services(3, REFRESH_GRACE=1)."""
    running = []

    def start(count, **settings):
        settings = {**new_store(), **settings}
        started = [make(settings) for _ in range(count)]
        running.extend(started)
        in_parallel(count, lambda i: started[i].start())
        return started

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def client(service):
    with service.client() as one:
        yield one


@pytest.fixture
def newcomer(service):
    return service.newcomer()


# ---- a move from one store to another


@pytest.fixture
def master_key():
    return random_master_key()


@pytest.fixture
def open_old(tmp_path_factory, master_key):
    """A deployment on SQLite, as everybody begins with; not started."""
    made = []

    def open_one(**settings):
        directory = tmp_path_factory.mktemp("old")
        made.append(Service(directory, DB_URI=f"sqlite:{directory}/doorward.db", MASTER_KEY=master_key, **settings))
        return made[-1]

    yield open_one
    for one in made:
        one.stop()


@pytest.fixture
def open_new(new_service, new_store, master_key):
    """A deployment on this run's backend with nothing in it; not started."""
    return lambda **settings: new_service(**{**new_store(), "MASTER_KEY": master_key, **settings})
