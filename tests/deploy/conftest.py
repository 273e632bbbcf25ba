import pytest

from service import Service


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate and its key: a directory with tls.crt and tls.key."""
    place = tmp_path_factory.mktemp("certificate")
    service = Service(place).start()
    service.stop()
    return place / "var"
