"""Start, stop, reload, logs, the command line beside a running service."""
import contextlib
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess

import pytest

from service import PASSWORD, PATIENCE_S, ROOT, bearer, read_answer, unique_name, wait_until


# ---- start

def refused(service, code, *words):
    """The start fails with this exit code and one line that holds these words."""
    service.launch()
    assert service.process.wait(PATIENCE_S) == code, service.stderr
    service._reader.join()
    lines = [line for line in service.lines if line.strip()]
    service.process = None
    assert len(lines) == 1, lines
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]


@pytest.mark.parametrize("settings, words", [
    ({"PORT": "99999"}, ["PORT", "65535"]),
    ({"BCRYPT_COST": "3"}, ["BCRYPT_COST", "31"]),
    ({"BCRYPT_COST": "9", "DEVELOPMENT": None}, ["BCRYPT_COST", "DEVELOPMENT"]),
    ({"BCRYPT_COST": "twelve"}, ["BCRYPT_COST"]),
    ({"JWT_SECRET": "short"}, ["JWT_SECRET", "32"]),
    ({"JWT_SECRET": "s" * 32, "JWT_ALG": "ES256"}, ["JWT_ALG"]),
    ({"JWT_ALG": "none"}, ["JWT_ALG", "ES256"]),
    ({"MASTER_KEY": "c2hvcnQ="}, ["MASTER_KEY", "32"]),
    ({"MASTER_KEY_FILE": "/nonexistent/key"}, ["MASTER_KEY_FILE", "/nonexistent/key"]),
    ({"COOKIES": "maybe"}, ["COOKIES", "optional"]),
    ({"RESPONSES": "other"}, ["RESPONSES", "classic"]),
    ({"TRUSTED_PROXIES": "10.0.0.0/99"}, ["TRUSTED_PROXIES", "10.0.0.0/99"]),
    ({"LISTEN": "localhost"}, ["LISTEN"]),
    ({"TLS_CERT": "/nonexistent.crt"}, ["TLS_KEY"]),
    ({"DB_URI": "postgres://x"}, ["DB_URI", "sqlite:"]),
    ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL", "debug"]),
    ({"PUBLIC_URL": "ftp://x"}, ["PUBLIC_URL"]),
    ({"LOGIN_DEADLINE_MS": "-1"}, ["LOGIN_DEADLINE_MS"]),
])
def test_a_bad_setting_stops_the_start_with_one_line_that_names_it(new_service, settings, words):
    refused(new_service(**settings), 2, *words)


def test_an_unknown_name_in_the_env_file_stops_the_start_and_names_a_neighbour(new_service):
    service = new_service()
    (service.directory / ".env").write_text("JWT_EXPIRY=60\nJWT_EXPIRI=60\n")
    refused(service, 2, ".env:2", "JWT_EXPIRI", "JWT_EXPIRY")


def test_a_port_in_use_is_told(new_service):
    service = new_service()
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.port))
        other.listen()
        refused(service, 1, str(service.port), "in use")


def test_a_key_that_others_can_read_is_refused(new_service, start_service):
    first = start_service()
    first.stop()
    key = first.directory / "var" / "tls.key"
    key.chmod(0o644)
    service = new_service(TLS_CERT=first.directory / "var" / "tls.crt", TLS_KEY=key)
    service.launch()
    assert service.process.wait(PATIENCE_S) in (1, 2)
    service._reader.join()
    assert str(key) in service.stderr and "600" in service.stderr and len(service.lines) == 1
    service.process = None


def test_a_directory_that_is_missing_is_told(new_service, tmp_path):
    refused(new_service(DB_URI=f"sqlite:{tmp_path}/no/such/place/doorward.db"), 1, "no/such/place")


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(new_service, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but somebody's notes\n" * 100)
    refused(new_service(DB_URI=f"sqlite:{file}"), 1, "notes.txt")
    assert file.read_text().startswith("not a database")


def test_a_directory_for_keys_that_others_can_change_is_refused(new_service):
    service = new_service()
    var = service.directory / "var"
    var.mkdir()
    var.chmod(0o775)
    refused(service, 2, "var", "chmod 700")
    assert list(var.iterdir()) == []


def test_what_is_made_at_start_is_private(service):
    var = service.directory / "var"
    assert var.stat().st_mode & 0o777 == 0o700
    for name in ("doorward.db", "tls.key", "master.key"):
        assert (var / name).stat().st_mode & 0o077 == 0, name


def test_the_start_says_where_it_listens_and_the_arithmetic_of_its_sizes(service):
    service.wait_for_event(event="listening")  # said after the rest, and after the first answers, which may be sooner
    said = (service.directory / "stdout.txt").read_text() + service.stderr
    assert service.url in said and "curl" in said and "--cacert" in said
    for word in ("loops", "workers", "connections"):
        assert word in said.lower()


def test_a_wrong_master_key_stops_the_start_and_touches_nothing(start_service, new_service):
    service = start_service()
    name, tokens = service.newcomer()
    service.stop()
    import base64
    other = new_service(DB_URI=f"sqlite:{service.directory}/var/doorward.db",
                        MASTER_KEY=base64.b64encode(os.urandom(32)).decode())
    other.launch()
    assert other.process.wait(PATIENCE_S) in (1, 2)
    other._reader.join()
    assert "MASTER_KEY" in other.stderr and len(other.lines) == 1, other.stderr
    other.process = None
    service.start()
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200


@pytest.mark.parametrize("settings", [{}, {"JWT_SECRET": "s" * 32}], ids=["ES256", "HS256"])
def test_a_master_key_that_is_missing_beside_its_database_is_not_made_anew(start_service, settings):
    service = start_service(**settings)
    _, tokens = service.newcomer()
    service.stop()
    key = service.directory / "var" / "master.key"
    kept = key.rename(key.with_suffix(".kept"))
    service.lines.clear()
    refused(service, 2, "master.key", "missing", "doorward.db")
    assert not key.exists()
    kept.rename(key)
    service.start()
    with service.client() as client:
        assert client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code == 200


# ---- everything is as it was

def test_after_a_restart_everything_is_as_it_was(start_service):
    service = start_service()
    name, tokens = service.newcomer()
    service.restart()
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
        assert client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code == 200
    service.login(name)


# ---- drain

def begin_login(connection, name, password):
    """Has a login under way: it came in one piece with what is answered already."""
    body = f'{{"username":"{name}","password":"{password}"}}'.encode()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST /login HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    status, _, _, rest = read_answer(connection)
    assert status == 200
    return rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_0(start_service, number):
    service = start_service(BCRYPT_COST=9)
    name = service.register()["username"]
    with service.raw() as busy, service.raw() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(idle)[0] == 200
        rest = begin_login(busy, name, PASSWORD)
        service.process.send_signal(number)
        assert read_answer(busy, rest)[0] == 200
        assert idle.recv(10) == b""
    assert service.stop(None) == 0


def test_a_hash_that_takes_minutes_does_not_hold_up_the_end(start_service):
    service = start_service(DRAIN_TIMEOUT=1, LOGIN_DEADLINE_MS=60000)
    name = service.register()["username"]
    dear = "$2b$20$5DCebwootqWMCp59ISrMJ.M0CRK70IwhofN02R.bYxRX.YZpmXg9O"
    with contextlib.closing(sqlite3.connect(service.directory / "var" / "doorward.db", timeout=30)) as database, database:
        database.execute("UPDATE users SET password_hash = ? WHERE username = ?", (dear, name))
    with service.raw() as busy:
        assert begin_login(busy, name, "wrong") == b""
        service.process.send_signal(signal.SIGTERM)
        assert busy.recv(10) == b""
    assert service.stop(None) == 0
    assert [event["status"] for event in service.events if event.get("route") == "/login"] == [503]


def test_during_the_drain_delay_it_serves_but_is_not_ready_and_closes_after_each_answer(start_service):
    service = start_service(DRAIN_DELAY=30)
    _, tokens = service.newcomer()
    service.process.send_signal(signal.SIGTERM)

    def draining():
        with service.client() as client:
            answer = client.get("/readyz")
            return answer.status_code == 503 and answer
    answer = wait_until(draining, "readyz 503")
    assert answer.headers["connection"] == "close"
    with service.client() as client:
        answer = client.get("/verify", headers=bearer(tokens))
        assert answer.status_code == 200 and answer.headers["connection"] == "close"
    service.process.send_signal(signal.SIGTERM)  # a second signal ends at once
    service.process.wait(PATIENCE_S)
    service._reader.join()
    service.process = None


# ---- reload

def test_a_new_certificate_is_taken_up_without_losing_a_connection(start_service, tmp_path):
    first, second = start_service(), start_service()
    crt, key = tmp_path / "server.crt", tmp_path / "server.key"

    def install(source):
        for target, name in ((key, "tls.key"), (crt, "tls.crt")):
            fresh = target.with_suffix(target.suffix + ".new")
            fresh.write_bytes((source.directory / "var" / name).read_bytes())
            fresh.chmod(0o600)
            fresh.rename(target)

    install(first)
    service = start_service(TLS_CERT=crt, TLS_KEY=key)
    with service.raw() as kept:
        install(second)
        service.process.send_signal(signal.SIGHUP)
        shown = (second.directory / "var" / "tls.crt").read_text()
        import ssl
        wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", service.port)) == shown.replace("\r", ""), "the new certificate")
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers, _, _ = read_answer(kept)
        assert status == 200 and "max-age" in headers["strict-transport-security"]
        crt.write_text("broken")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_event(event="certificate_kept")
        assert ssl.get_server_certificate(("127.0.0.1", service.port)) == shown
        install(first)  # by file change alone
        wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", service.port))
                   == (first.directory / "var" / "tls.crt").read_text(), "the first certificate again")


# ---- logs

# An access token has a dot, which a random key id that holds "eyJ" has not.
SECRETS = re.compile(r"correct horse|\$2b\$|eyJ[A-Za-z0-9_-]{10,}\.|BEGIN [A-Z ]*PRIVATE")


def test_the_log_tells_each_event_and_no_secret(start_service):
    service = start_service()
    name, tokens = service.newcomer()
    with service.client() as client:
        client.post("/login", json={"username": name, "password": "wrong guess"})
        child = client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).json()
        client.post("/password", headers=bearer(child), json={"current_password": PASSWORD, "new_password": PASSWORD + "2"})
        client.request("DELETE", "/profile", headers=bearer(child), json={"password": PASSWORD + "2"})
        other, mine = service.newcomer()
        client.post("/logout", headers=bearer(mine))
        client.get("/nowhere/%7f", headers={"User-Agent": "line\tbreak", "X-Request-Id": "find-me"})
    service.stop()
    actions = {e.get("action") for e in service.events if e["event"] == "audit"}
    assert {"register", "login", "login_failed", "password_change", "account_delete", "logout"} <= actions
    assert not SECRETS.search(service.stderr)
    for secret in (tokens["refresh_token"], child["refresh_token"], PASSWORD):
        assert secret not in service.stderr
    requests = [e for e in service.events if e["event"] == "request"]
    assert requests
    for event in requests:
        assert {"time", "level", "event", "request_id", "route", "status"} <= set(event)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
    assert any(e["request_id"] == "find-me" and e["status"] == 404 for e in requests)
    assert all(line.startswith("{") and line.endswith("}") for line in service.lines)


# ---- behind a proxy

@pytest.mark.parametrize("trusted, seen", [("127.0.0.1/32", "203.0.113.7"), (None, "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1")])
def test_a_forwarded_address_is_believed_from_trusted_proxies_alone(start_service, trusted, seen):
    service = start_service(**({"TRUSTED_PROXIES": trusted} if trusted else {}))
    name = service.register()["username"]
    with service.client() as client:
        answer = client.post("/login", json={"username": name, "password": PASSWORD},
                             headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})
        listed = client.get("/sessions", headers=bearer(answer.json())).json()["sessions"]
    assert listed[0]["ip"] == seen


# ---- the command line

def test_a_user_lives_through_the_command_line_beside_the_service(service):
    name = unique_name()
    done = service.cli("user", "add", "--username", name, "--email", f"{name}@example.org", stdin=PASSWORD + "\n")
    assert name in done.stdout
    service.login(name)
    assert name in service.cli("user", "list").stdout
    shown = service.cli("user", "show", name).stdout
    assert f"{name}@example.org" in shown and "$2b$" not in shown
    service.cli("user", "passwd", f"{name}@example.org", stdin="a different one\n")
    service.login(name, "a different one")
    service.cli("user", "role", name, "admin")
    service.cli("user", "delete", name)
    with service.client() as client:
        assert client.post("/login", json={"username": name, "password": "a different one"}).status_code == 401
    assert service.cli("user", "show", name, code=1).stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [
    ["user"], ["user", "grow"], ["user", "show"], ["serve", "--nonsense"], ["nonsense"], ["config", "--nonsense"],
    ["user", "add", "--username", "x", "--password", "argv"],
])
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(service, arguments):
    done = service.cli(*arguments, code=2)
    assert done.stdout == "" and done.stderr


@pytest.mark.parametrize("arguments", [["config"], ["user", "list"]])
def test_what_cannot_be_written_is_an_error_and_not_silence(service, arguments):
    service.register()
    with open("/dev/full", "w") as full:
        done = subprocess.run([service.binary, *arguments], cwd=service.directory, env=service.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "stdout" in done.stderr and done.stderr.count("\n") == 1


def test_no_file_or_socket_takes_the_place_of_a_closed_standard_stream(new_service):
    service = new_service()
    process = subprocess.Popen(["sh", "-c", 'exec "$0" serve <&- >&- 2>&-', service.binary], cwd=service.directory,
                               env=service.environment)
    try:
        key = service.directory / "var" / "tls.key"
        wait_until(key.exists)
        for number in range(3):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["user", "--help"], ["user", "add", "--help"], ["config", "--help"]])
def test_help_is_everywhere(service, arguments):
    assert "doorward" in service.cli(*arguments).stdout.lower()


def test_the_version_names_its_libraries(service):
    said = service.cli("--version").stdout.lower()
    for library in ("doorward", "libuv", "llhttp", "libjwt", "openssl", "sqlite", "jansson"):
        assert library in said


def test_config_shows_where_each_value_comes_from_and_masks_secrets(new_service):
    service = new_service(JWT_SECRET="very-secret-" * 4)
    (service.directory / ".env").write_text("IDLE_TIMEOUT=33\n")
    said = service.cli("config").stdout
    assert "very-secret" not in said
    assert re.search(r"IDLE_TIMEOUT=33\b.*\.env", said) and re.search(r"DRAIN_TIMEOUT=25\b.*default", said)
    assert re.search(r"BCRYPT_COST=4\b.*environment", said)
    service.cli("config", "--check")
    service.settings["PORT"] = "nonsense"
    assert "PORT" in service.cli("config", "--check", code=2).stderr


def test_the_documentation_names_every_setting_with_its_default_and_no_other(new_service):
    service = new_service()
    service.settings = {}
    effective = dict(re.findall(r"^([A-Z0-9_]+)=(.*?)\s+#", service.cli("config").stdout, re.M))
    documented = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.*?) \|", (ROOT / "docs" / "settings.md").read_text(), re.M))
    assert set(documented) == set(effective)
    for name, default in documented.items():
        if re.fullmatch(r"`\d+`", default):
            assert effective[name] == default.strip("`"), name


def test_a_password_is_read_from_a_terminal_without_echo(service):
    name = unique_name()
    master, slave = pty.openpty()
    process = subprocess.Popen([service.binary, "user", "add", "--username", name], cwd=service.directory,
                               env=service.environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
    os.close(slave)
    seen = b""

    def read_until(word):
        nonlocal seen
        while word not in seen.lower():
            seen += os.read(master, 1000)

    read_until(b"password")
    os.write(master, b"typed in secret\n")
    seen = b""
    try:
        read_until(b":")
        os.write(master, b"typed in secret\n")
        while True:
            seen += os.read(master, 1000)
    except OSError:
        pass
    assert process.wait(PATIENCE_S) == 0, seen
    os.close(master)
    assert b"typed in secret" not in seen
    service.login(name, "typed in secret")


def test_two_services_on_one_file_see_each_other(start_service):
    first = start_service()
    second = start_service(DB_URI=f"sqlite:{first.directory}/var/doorward.db",
                           MASTER_KEY_FILE=first.directory / "var" / "master.key")
    name, tokens = first.newcomer()
    with second.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
        with first.client() as other:
            assert other.post("/logout", headers=bearer(tokens)).status_code == 204
        wait_until(lambda: client.get("/verify", headers=bearer(tokens)).status_code == 401, "the logout")
