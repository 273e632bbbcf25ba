"""The store fails, clients are slow or gone, descriptors run out: no false success, and it recovers by itself."""
import os
import resource
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from service import (PASSWORD, PATIENCE_S, bearer, check_contract, in_parallel, read_all, read_answer, status_of, unique_name,
                     wait_until)


def post(service, path, members, tokens=None):
    with service.client() as client:
        return client.post(path, json=members, headers=bearer(tokens) if tokens else {})


def check_unavailable(answer):
    assert answer.status_code == 503 and answer.json()["code"] == "store_unavailable", answer.text
    assert int(answer.headers["retry-after"]) >= 1


def readiness(service):
    with service.client() as client:
        return client.get("/readyz").status_code


def database(service):
    return service.directory / "var" / "doorward.db"


def test_a_locked_store_is_503_and_heals_when_the_lock_goes(start_service):
    service = start_service(STORE_DEADLINE_MS=1000)
    name, tokens = service.newcomer()
    holder = sqlite3.connect(database(service), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    check_unavailable(post(service, "/refresh-token", {"refresh_token": tokens["refresh_token"]}))
    check_unavailable(post(service, "/register", {"username": unique_name(), "password": PASSWORD}))
    wait_until(lambda: readiness(service) == 503, "readyz 503")
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
        assert client.get("/healthz").status_code == 200
    holder.execute("ROLLBACK")
    holder.close()
    wait_until(lambda: readiness(service) == 200, "readyz 200")
    assert post(service, "/refresh-token", {"refresh_token": tokens["refresh_token"]}).status_code == 200


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 2 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", place]).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_503_loses_nothing_and_heals_when_there_is_room(start_service, small_disk):
    service = start_service(DB_URI=f"sqlite:{small_disk}/doorward.db")
    name, tokens = service.newcomer()
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    acknowledged, refused = [], 0
    end = time.monotonic() + 60
    while refused < 5 and time.monotonic() < end:
        wanted = unique_name()
        answer = post(service, "/register", {"username": wanted, "password": PASSWORD})
        if answer.status_code == 201:
            acknowledged.append(wanted)
        else:
            check_unavailable(answer)
            refused += 1
    assert refused == 5
    wait_until(lambda: readiness(service) == 503, "readyz 503")
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
    ballast.unlink()
    wait_until(lambda: readiness(service) == 200, "readyz 200")
    for wanted in acknowledged[-20:]:
        service.login(wanted)
    assert post(service, "/refresh-token", {"refresh_token": tokens["refresh_token"]}).status_code == 200


def test_a_store_that_takes_no_writes_is_503_and_heals(start_service):
    service = start_service()
    _, tokens = service.newcomer()
    pid = service.process.pid
    # Every write to a file fails from now on, as on a file system that the kernel has made read-only.
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    check_unavailable(post(service, "/refresh-token", {"refresh_token": tokens["refresh_token"]}))
    check_unavailable(post(service, "/logout", {}, tokens))
    wait_until(lambda: readiness(service) == 503, "readyz 503")
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
        assert client.get("/profile", headers=bearer(tokens)).status_code == 200
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    wait_until(lambda: readiness(service) == 200, "readyz 200")
    assert post(service, "/refresh-token", {"refresh_token": tokens["refresh_token"]}).status_code == 200


def test_a_read_only_file_system_stops_the_start_with_one_line(start_service, new_service, small_disk):
    uri = f"sqlite:{small_disk}/doorward.db"
    first = start_service(DB_URI=uri)
    first.stop()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    service = new_service(DB_URI=uri, MASTER_KEY_FILE=first.directory / "var" / "master.key").launch()
    assert service.process.wait(PATIENCE_S) == 1
    service._reader.join()
    assert len(service.lines) == 1 and str(small_disk) in service.lines[0], service.lines
    assert "MASTER_KEY" not in service.lines[0]
    service.process = None


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.long)])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(start_service, rounds):
    service = start_service()
    acknowledged = []

    def register_until_it_dies(_):
        while True:
            name = unique_name()
            try:
                service.register(username=name)
            except Exception:
                return
            acknowledged.append(name)

    for round_ in range(rounds):
        threads = [threading.Thread(target=register_until_it_dies, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        goal = len(acknowledged) + 15 + 7 * (round_ % 5)
        wait_until(lambda: len(acknowledged) >= goal, "registrations")
        service.kill()
        for thread in threads:
            thread.join()
        check = sqlite3.connect(database(service))
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = {row[0] for row in check.execute("SELECT username FROM users")}
        check.close()
        assert set(acknowledged) <= names
        service.start()
    service.login(acknowledged[0])


def test_a_client_that_hangs_up_during_a_hash_costs_nothing_more(start_service):
    service = start_service(BCRYPT_COST=8)
    name = service.register()["username"]
    body = f'{{"username":"{name}","password":"{PASSWORD}"}}'.encode()
    request = (b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    for _ in range(50):
        with service.raw() as connection:
            connection.sendall(request)
    service.login(name)
    assert service.stop() == 0


@pytest.mark.parametrize("limit, request_", [
    ("HEADER_TIMEOUT", b"GET /healthz HTTP/1.1\r\nHost:"),
    ("BODY_TIMEOUT", b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")])
def test_slow_heads_and_bodies_are_408(start_service, limit, request_):
    service = start_service(**{limit: 1})
    with service.raw() as slow:
        slow.sendall(request_)
        answer = read_all(slow)
    check_contract(b"POST /login HTTP/1.1\r\n", answer)
    assert status_of(answer) == 408 and b"request_timeout" in answer and b"onnection: close" in answer


def test_idle_connections_are_closed(start_service):
    with start_service(IDLE_TIMEOUT=1).raw() as idle:
        assert read_all(idle) == b""


def test_connections_without_a_handshake_are_closed(new_service):
    service = new_service(HANDSHAKE_TIMEOUT=1).launch()
    service.wait_for_event(event="listening")
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as no_handshake:
        assert no_handshake.recv(10) == b""


def test_a_trickling_head_does_not_move_its_limit(start_service):
    service = start_service(HEADER_TIMEOUT=1)
    with service.raw() as connection:
        connection.settimeout(0.1)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        end = time.monotonic() + PATIENCE_S
        received = b""
        while time.monotonic() < end and not received:
            try:
                connection.sendall(b"X: y\r\n")
                received = connection.recv(1000)
            except TimeoutError:
                continue
            except (ConnectionError, ssl.SSLError):
                break
        assert time.monotonic() < end
        assert status_of(received) in (408, None)


def test_a_reader_that_does_not_read_is_cut_and_others_are_served(start_service):
    service = start_service(WRITE_TIMEOUT=1)
    with socket.create_connection(("127.0.0.1", service.port)) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with service.tls().wrap_socket(plain, server_hostname="localhost") as connection:
            connection.settimeout(0.2)
            request = b"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n"
            end = time.monotonic() + 2 * PATIENCE_S
            with pytest.raises((ConnectionError, ssl.SSLError)):
                while time.monotonic() < end:
                    try:
                        connection.sendall(request * 20)
                    except TimeoutError:
                        pass
                    with service.client() as client:
                        assert client.get("/healthz").status_code == 200
    with service.client() as client:
        assert client.get("/healthz").status_code == 200


def test_over_max_connections_the_longest_idle_one_gives_way(start_service):
    service = start_service(MAX_CONNECTIONS=20, LOOPS=1)
    held = []
    try:
        for _ in range(25):
            plain = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S)
            connection = service.tls().wrap_socket(plain, server_hostname="localhost")
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(connection)[0] == 200
            held.append(connection)
        wait_until(lambda: all(map(was_closed, held[:5])), "room for the newest")
        closed = [c for c in held if was_closed(c)]
        assert closed == held[:len(closed)] and 5 <= len(closed) <= 7
    finally:
        for connection in held:
            connection.close()


def was_closed(connection):
    connection.settimeout(0.2)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except (ConnectionError, ssl.SSLError):
        return True


def test_ten_thousand_connections_and_one_more(start_service):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10500:
        pytest.skip("needs 10,500 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (10500, hard))
    service = start_service(TLS="off", IDLE_TIMEOUT=600, HANDSHAKE_TIMEOUT=600, LOOPS=1, scheme="http",
                            binary=os.environ.get("DOORWARD_RELEASE"))
    held = []
    try:
        for _ in range(10001):
            held.append(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S))
        wait_until(lambda: was_closed(held[0]), "the longest idle connection's end")
        held[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(held[-1])[0] == 200
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors_idle_connections_give_way_and_it_resumes_by_itself(start_service):
    service = start_service(LOOPS=1)
    pid = service.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 6, before[1]))
        for _ in range(30):
            plain = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S)
            held.append(service.tls().wrap_socket(plain, server_hostname="localhost"))
            held[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(held[-1])[0] == 200
        wait_until(lambda: was_closed(held[0]), "the longest idle connection's end")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for connection in held:
            connection.close()
    wait_until(lambda: readiness(service) == 200, "new connections")


def test_a_login_flood_is_refused_in_time_and_the_rest_goes_on(start_service):
    service = start_service(BCRYPT_COST=10, PASSWORD_WORKERS=2, binary=os.environ.get("DOORWARD_RELEASE"))
    name, tokens = service.newcomer()
    service.settings["LOGIN_DEADLINE_MS"] = "300"
    service.restart()
    clients = [service.client() for _ in range(40)]

    def flood(index):
        outcome = []
        for _ in range(4):
            answer = clients[index].post("/login", json={"username": unique_name(), "password": PASSWORD})
            outcome.append(answer)
        return outcome

    seen = []
    stop = threading.Event()

    def verify_meanwhile():
        with service.client() as client:
            token = tokens["refresh_token"]
            while not stop.is_set():
                seen.append(client.get("/verify", headers=bearer(tokens)).status_code)
                answer = client.post("/refresh-token", json={"refresh_token": token})
                seen.append(answer.status_code)
                token = answer.json().get("refresh_token")

    watcher = threading.Thread(target=verify_meanwhile)
    watcher.start()
    answers = [a for outcome in in_parallel(40, flood) for a in outcome]
    stop.set()
    watcher.join()
    for one in clients:
        one.close()
    assert set(seen) == {200}
    refused = [a for a in answers if a.status_code == 503]
    assert refused and {a.status_code for a in answers} == {401, 503}
    for answer in refused:
        assert answer.json()["code"] == "overloaded" and 1 <= int(answer.headers["retry-after"]) <= 60
    wait_until(lambda: post(service, "/login", {"username": name, "password": PASSWORD}).status_code == 200, "a login")


def test_a_hostile_row_is_an_error_of_that_user_alone(start_service):
    service = start_service()
    bad, good = service.register()["username"], service.register()["username"]
    for stored in ("", "$2b$31$" + "." * 53, "$2x$04$" + "." * 53, "$argon2id$v=19$m=4194304,t=9,p=9$AAAA$AAAA", "x" * 5000):
        with sqlite3.connect(database(service)) as file:
            file.execute("UPDATE users SET password_hash = ? WHERE username = ?", (stored, bad))
        answer = post(service, "/login", {"username": bad, "password": PASSWORD})
        assert answer.status_code == 500 and answer.json()["code"] == "internal", (stored, answer.text)
        assert stored[:20] not in answer.text or not stored
    service.login(good)


def test_a_broken_pipe_for_the_log_does_not_stop_the_service(new_service):
    service = new_service()
    read_end, write_end = os.pipe()
    service.launch(stderr=write_end)
    os.close(write_end)
    wait_until(lambda: os.path.exists(service.directory / "var" / "tls.crt"), "the certificate")
    wait_until(lambda: service.process.poll() is None and quietly_ready(service), "readiness")
    os.close(read_end)
    name, tokens = service.newcomer()
    with service.client() as client:
        assert client.get("/verify", headers=bearer(tokens)).status_code == 200
    service.process.terminate()
    assert service.process.wait(PATIENCE_S) == 0
    service.process = None


def quietly_ready(service):
    try:
        return readiness(service) == 200
    except Exception:
        return False
