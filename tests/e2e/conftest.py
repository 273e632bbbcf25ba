import pytest

from service import Service


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
