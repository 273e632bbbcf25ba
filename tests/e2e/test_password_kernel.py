"""Which kernel hashes passwords, and in how many lanes: measured beside the first requests, kept, pinned."""
import os

import pytest

from service import PASSWORD, unique_name

TUNING = "var/password.tuning"


def test_it_is_measured_once_and_kept(start_service):
    service = start_service()
    first = service.wait_for_event(event="password_kernel")
    assert first["source"] in ("measured", "default")  # default: the machine was too busy to tell
    assert 1 <= first["lanes"] <= 8 and first["steps_per_second"] > 0
    if first["source"] == "default":
        pytest.skip("too busy for a measurement")
    path = service.directory / TUNING
    assert path.stat().st_mode & 0o777 == 0o600
    service.restart()
    kept = service.wait_for_event(event="password_kernel", source="kept")
    assert (kept["kernel"], kept["lanes"]) == (first["kernel"], first["lanes"])


def test_what_another_machine_measured_is_measured_anew(start_service):
    service = start_service()
    service.wait_for_event(event="password_kernel")
    service.stop()
    (service.directory / TUNING).write_text("doorward 0.0.0 password tuning 1\ncpu another\nbest c 8\nrates 1 2 3 4 5 6 7 8\n")
    service.lines.clear()
    service.start()
    assert service.wait_for_event(event="password_kernel")["source"] != "kept"


@pytest.mark.parametrize("lanes", ["1", "5"])
def test_a_setting_pins_it(start_service, lanes):
    service = start_service(PASSWORD_KERNEL="c", PASSWORD_LANES=lanes)
    event = service.wait_for_event(event="password_kernel")
    assert (event["kernel"], event["lanes"], event["source"]) == ("c", int(lanes), "pinned")
    name = unique_name()
    with service.client() as client:
        assert client.post("/register", json={"username": name, "password": PASSWORD}).status_code == 201
        assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 200
        assert client.post("/login", json={"username": name, "password": "not it, sorry"}).status_code == 401


def test_a_file_that_cannot_be_kept_is_no_more_than_a_line_in_the_log(start_service):
    service = start_service()
    service.wait_for_event(event="password_kernel")
    service.stop()
    path = service.directory / TUNING
    path.unlink(missing_ok=True)
    path.mkdir()
    service.lines.clear()
    service.start()
    event = service.wait_for_event(event="password_kernel")
    if event["source"] == "measured":
        assert service.wait_for_event(event="password_tuning_not_kept")["level"] == "info"
    assert not [name for name in os.listdir(path.parent) if name.startswith("password.tuning.")]


def test_argon2id_is_a_setting_away(start_service):
    service = start_service(PASSWORD_HASH="argon2id", ARGON2_MEMORY="8192", ARGON2_ITERATIONS="1")
    name = unique_name()
    with service.client() as client:
        assert client.post("/register", json={"username": name, "password": PASSWORD}).status_code == 201
        assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 200
        assert client.post("/login", json={"username": name, "password": "not it, sorry"}).status_code == 401
        assert client.post("/login", json={"username": unique_name(), "password": PASSWORD}).status_code == 401
