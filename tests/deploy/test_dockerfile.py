"""The Dockerfile: what it says must be what the program does. `./dev test image` builds it."""
from deployed import IMAGE, ROOT, VERSION, program, run, settings
from service import Service


def test_hadolint_is_quiet():
    assert run(program("hadolint"), "--no-color", ROOT / "Dockerfile") == ""


def test_its_environment_is_known_and_acceptable_and_its_port_is_the_default_one(tmp_path):
    assert {"LISTEN", "SSL_CERT_FILE"} == IMAGE.environment.keys()
    found = settings(IMAGE.environment, tmp_path)
    assert found["LISTEN"] == "0.0.0.0" and found["PORT"] == IMAGE.one("EXPOSE")


def test_it_says_the_version_that_is_built():
    assert ["ARG", f"VERSION={VERSION}"] in IMAGE.last


def test_its_health_check_succeeds_where_the_service_is_ready(tmp_path):
    options, _, words = IMAGE.one("HEALTHCHECK").partition("CMD ")
    binary, *arguments = [word.strip(' "') for word in words.strip("[]").split(",")]
    assert binary == IMAGE.one("ENTRYPOINT").strip('[]"') and "--interval" in options
    service = Service(tmp_path, LISTEN=IMAGE.environment["LISTEN"]).start()
    service.cli(*arguments)
    assert service.stop() == 0
    service.cli(*arguments, code=1)
