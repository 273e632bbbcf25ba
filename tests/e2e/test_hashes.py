"""Stored hashes from the outside: what a login makes of each form, and what argon2id takes of the machine.

The story: accounts come from elsewhere with the hashes that they had there, and the configured form changes in the life of a
service. Each is taken over by the first login, in one write, and nobody notices.
"""
import contextlib
import os
import pathlib
import re
import sqlite3

import pytest

from service import PASSWORD, in_parallel, unique_name

pytestmark = pytest.mark.sqlite
# Small, and more than the standard library's argon2 would choose for a test.
ARGON2 = {"PASSWORD_HASH": "argon2id", "ARGON2_MEMORY": 8192, "ARGON2_ITERATIONS": 1, "ARGON2_MEMORY_BUDGET": 16 << 20}
MANY = {"PASSWORD_QUEUE": 1000, "LOGIN_DEADLINE_MS": 60000}
MIB = 1 << 20

# Of "password", by argon2-cffi 25.1, passlib 1.7.4, Django 5.2 and libxcrypt 4.4.33, as in tests/unit/test_password_foreign.c.
IMPORTED = {
    "bcrypt 2a": "$2a$04$5DCebwootqWMCp59ISrMJ.M0CRK70IwhofN02R.bYxRX.YZpmXg9O",
    "argon2i": "$argon2i$v=19$m=256,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$vnYJBUxMgPtjKeKnoysMQHbxujFYGE+2mZvmCgY2otU",
    "argon2id": "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$+4O1cR/ZHfYwtjZ33uYszRPubwxIl9hWtJVCubHpl1s",
    "scrypt": "$scrypt$ln=4,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$GPNriWuOuBdpnCDS05RyNh8Bg2oS62hE6gWKqbnh0mU",
    "scrypt of crypt": "$7$26..../....SodiumChloride$QCXypikOdrGUuQTbSEJ5PInpJbIxJiy9TRvuJ0MqLsA",
    "PBKDF2-SHA256": "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$hRRjgXWkW8ResfIvBP99J/T4vkgEmMRV/0tJTOjR59I",
    "PBKDF2-SHA512": "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$38DzhdBT7fPaUGBlsh42VTuuKSFAIYGZJ7l6feCDLIl.K3hdPFgxxu7xuUi4gIu"
                     "H6cEIoODn18xH9Ig2ryNgUw",
    "Django": "pbkdf2_sha256$1000$seasalt22characters012$Z4GPdLbwlV+9fIPhVualFpo5uloxiA2ahRPNyb6ux0M=",
    "SHA-512 of crypt": "$6$rounds=1000$saltstring0123./$y48Bb7nF1sRMiGeaFvbjgu4vY62KaISa1uW/eBTptVBZ29RvAW2OElug0Jw7LO9yuzSfMnAcY9"
                        "bMovKHAEq4h0",
    "yescrypt": "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$AwSWBvo9otG8BLH4EfD1adasacj5dqew9dxGW5j5f24",
}


@contextlib.contextmanager
def database_of(service):
    with contextlib.closing(sqlite3.connect(service.directory / "var" / "doorward.db", timeout=30)) as database, database:
        yield database


def stored_hash(service, name):
    with database_of(service) as database:
        return database.execute("SELECT password_hash FROM users WHERE username = ?", (name,)).fetchone()[0]


def import_hash(service, text):
    """An account that came with this hash."""
    name = service.register()["username"]
    with database_of(service) as database:
        database.execute("UPDATE users SET password_hash = ? WHERE username = ?", (text, name))
    return name


def status_of_login(service, name, password):
    with service.client() as client:
        return client.post("/login", json={"username": name, "password": password}).status_code


def restart_with(service, **settings):
    service.settings.update({name: str(value) for name, value in settings.items()})
    service.restart()


def test_accounts_from_elsewhere_log_in_and_are_taken_over_by_the_first_login(start_service):
    service = start_service()
    for form, text in IMPORTED.items():
        name = import_hash(service, text)
        assert status_of_login(service, name, "passwort") == 401, form
        assert stored_hash(service, name) == text, form
        assert status_of_login(service, name, "password") == 200, form
        own = stored_hash(service, name)
        assert own.startswith("$2b$04$"), form
        assert status_of_login(service, name, "password") == 200, form
        assert stored_hash(service, name) == own, form


def test_a_login_whose_hash_cannot_be_stored_anew_is_a_login(start_service):
    service = start_service(LOGIN_ATTEMPTS=3)
    name = import_hash(service, IMPORTED["Django"])
    service.register()
    with database_of(service) as database:  # one bcrypt hash is enough
        database.execute("CREATE UNIQUE INDEX no_rehash ON users (substr(password_hash, 1, 4))")
    # More often than LOGIN_ATTEMPTS: they do not count as failures either.
    assert [status_of_login(service, name, "password") for _ in range(6)] == [200] * 6
    assert stored_hash(service, name) == IMPORTED["Django"]
    with database_of(service) as database:
        database.execute("DROP INDEX no_rehash")
    assert status_of_login(service, name, "password") == 200
    assert stored_hash(service, name).startswith("$2b$04$")


def test_accounts_follow_the_configured_form_there_and_back(start_service):
    service = start_service(**ARGON2)
    born, name = service.register()["username"], service.register()["username"]
    assert stored_hash(service, born).startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert status_of_login(service, born, "wrong password") == 401
    service.login(born)
    restart_with(service, PASSWORD_HASH="bcrypt")
    service.login(name)
    assert stored_hash(service, name).startswith("$2b$04$")
    assert stored_hash(service, born).startswith("$argon2id$")
    restart_with(service, PASSWORD_HASH="argon2id", ARGON2_ITERATIONS=2)
    for one in (born, name):
        service.login(one)
        assert stored_hash(service, one).startswith("$argon2id$v=19$m=8192,t=2,p=1$")
    # A password that bcrypt would cut off is told apart by its end in every form.
    long = service.register(password="x" * 100)
    assert status_of_login(service, long["username"], "x" * 99) == 401
    restart_with(service, PASSWORD_HASH="bcrypt")
    service.login(long["username"], "x" * 100)
    assert stored_hash(service, long["username"]).startswith("$bcrypt-sha256$v=2")
    assert status_of_login(service, long["username"], "x" * 99) == 401


def test_a_mixed_population_is_served_under_load_and_ends_in_the_configured_form(start_service):
    service = start_service(**ARGON2, **MANY)
    of_argon2 = [import_hash(service, IMPORTED["argon2id"]) for _ in range(8)]
    of_bcrypt = [import_hash(service, IMPORTED["bcrypt 2a"]) for _ in range(8)]
    own = [service.register(password="password")["username"] for _ in range(8)]
    names = [name for trio in zip(of_argon2, of_bcrypt, own) for name in trio]
    assert in_parallel(48, lambda i: status_of_login(service, names[i % 24], "password")) == [200] * 48
    assert {stored_hash(service, name)[:24] for name in names} == {"$argon2id$v=19$m=8192,t="}
    assert in_parallel(24, lambda i: status_of_login(service, names[i], "wrong guess")) == [401] * 24


def peak_bytes(service):
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1]) * 1024


def test_argon2id_stays_within_its_memory_budget_under_64_logins(start_service):
    """Beside the budget a request may take an arena and a connection; 64 of them stay under 16 MiB."""
    budget = 32 * MIB
    service = start_service(**{**ARGON2, **MANY, "ARGON2_MEMORY": 16384, "ARGON2_MEMORY_BUDGET": budget},
                            binary=os.environ.get("DOORWARD_RELEASE"))
    name = unique_name()
    service.register(username=name)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.client()) for _ in range(64)]
        assert [client.get("/healthz").status_code for client in clients] == [200] * 64
        pathlib.Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        before = peak_bytes(service)
        members = {"username": name, "password": PASSWORD}
        answers = in_parallel(64, lambda i: clients[i].post("/login", json=members).status_code)
    assert answers == [200] * 64
    assert 16 * MIB <= peak_bytes(service) - before < budget + 16 * MIB
