import os
import tempfile

import pytest

import contract
from service import Service

SEEN_DIRECTORY = "contract_seen"


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


def make(tmp_path_factory, settings):
    return Service(tmp_path_factory.mktemp("doorward"), **settings)


@pytest.fixture(scope="module")
def service(request, tmp_path_factory):
    """One running service for a module's tests, with the module's SETTINGS; accounts have names of their own."""
    running = make(tmp_path_factory, getattr(request.module, "SETTINGS", {})).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_service(tmp_path_factory):
    """Starts services with settings of the test's own: start_service(COOKIES="off")."""
    running = []

    def start(*arguments, **settings):
        running.append(make(tmp_path_factory, settings))
        return running[-1].start(*arguments)

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def new_service(tmp_path_factory):
    """The same, but not started."""
    made = []

    def new(**settings):
        made.append(make(tmp_path_factory, settings))
        return made[-1]

    yield new
    for one in made:
        one.stop()


@pytest.fixture
def client(service):
    with service.client() as one:
        yield one


@pytest.fixture
def newcomer(service):
    return service.newcomer()
