"""doorward-bench against the real service: what is asked arrives, what is said is true, and nothing hangs. No test
judges a time: this machine may be busy with others."""
import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from service import BINARY, PASSWORD, PATIENCE_S, Service, unique_name, wait_until

BENCH = BINARY.parent / "doorward-bench"
SHORT = ("--timeout", "60s", "--duration", "1s", "--warmup", "0", "--connections", "4")
GOOD, MISSED, REFUSED, INTERRUPTED = 0, 1, 2, 130


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("bench")).start()
    yield service
    service.stop()


def bench(*arguments, code=GOOD):
    done = subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=4 * PATIENCE_S)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def load(service, *arguments, code=GOOD, tries=6):
    """The figures of a short run: of the first in which this machine did not stand still for most of it."""
    command = [BENCH, "load", service.url, "--cacert", service.certificate, *SHORT, "--json", "-", *arguments]
    for _ in range(tries):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=4 * PATIENCE_S)
        figures = json.loads(done.stdout or "null")
        if figures and figures["all"]["outcomes"].get("unsent", 0) < figures["all"]["count"] / 2:
            break
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return figures


def refused(*arguments):
    """The one line that says why."""
    done = bench(*arguments, code=REFUSED)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    return done.stderr


def counts(figures):
    return {(line["route"], line["outcome"]): line["count"] for line in figures["routes"]}


# ---- load

def test_every_route_of_a_mix_is_asked_and_answered(service):
    figures = load(service, "--mix", "get=1,verify=1,profile=1,refresh=1,login=1,register=1", "--rate", "120")
    assert {route for route, _ in counts(figures)} == {"get", "verify", "profile", "refresh", "login", "register"}
    assert {outcome for _, outcome in counts(figures)} <= {"ok", "shed", "unsent"}, figures["routes"]
    assert figures["all"]["count"] == 120


def test_the_rate_asked_for_is_what_is_due_in_steps_as_well(service):
    figures = load(service, "--rate", "50,100:500ms")
    assert [step["count"] for step in figures["steps"]] == [25, 50]
    assert figures["all"]["count"] == 75
    assert sum(sum(row["outcomes"].values()) for row in figures["intervals"]) == 75


def test_warm_up_and_ramp_are_not_counted(service):
    figures = load(service, "--rate", "100", "--warmup", "200ms", "--ramp", "200ms")
    assert figures["all"]["count"] == 100


def test_refreshes_keep_one_chain_a_session_and_none_is_taken_for_theft(service):
    figures = load(service, "--mix", "refresh=1", "--rate", "max", "--tokens", "8")
    assert set(counts(figures)) == {("refresh", "ok")}
    assert not any("reused" in line for line in service.lines)


def test_connections_end_and_resume_as_asked(service):
    figures = load(service, "--mix", "get=1", "--rate", "100", "--reconnect", "5", "--resume")
    assert set(counts(figures)) <= {("get", "ok"), ("get", "unsent")}
    assert figures["connections"]["resumed"]["count"] > 0
    assert figures["connections"]["full"]["count"] == 0  # the first ones were opened before
    figures = load(service, "--mix", "get=1", "--rate", "100", "--reconnect", "5")
    assert figures["connections"]["resumed"]["count"] == 0 < figures["connections"]["full"]["count"]


def test_users_can_come_from_a_file_in_both_forms(service, tmp_path):
    names = [service.register()["username"] for _ in range(2)]
    users = tmp_path / "users.txt"
    users.write_text(f"{names[0]}:{PASSWORD}\n\n" + json.dumps({"username": names[1], "password": PASSWORD}) + "\n")
    figures = load(service, "--users-file", users, "--mix", "login=1,verify=1", "--rate", "50")
    assert {("login", "ok"), ("verify", "ok")} <= set(counts(figures))


def test_tokens_can_come_from_a_file(service, tmp_path):
    _, tokens = service.newcomer()
    file = tmp_path / "tokens.txt"
    file.write_text(tokens["access_token"] + "\n")
    assert ("verify", "ok") in counts(load(service, "--tokens-file", file, "--rate", "50"))


def test_a_limit_that_does_not_hold_is_exit_code_1_and_says_which(service):
    figures = load(service, "--slo", "verify:max<1us,errors<100%", code=MISSED)
    assert [(clause["clause"], clause["holds"]) for clause in figures["slo"]] == [("verify:max<1us", False), ("errors<100%", True)]
    assert load(service, "--slo", "verify:p99<1h")["slo"][0]["holds"]


def test_the_text_of_percentiles_ends_with_all_that_was_measured(service, tmp_path):
    file = tmp_path / "latencies.hdr"
    figures = load(service, "--rate", "40", "--hdr", file)
    lines = file.read_text().splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    last = [line.split() for line in lines if line and not line.startswith("#")][-1]
    assert float(last[1]) == 1.0 and int(last[2]) == figures["all"]["count"]


def test_a_signal_ends_it_with_the_results_so_far(service):
    process = subprocess.Popen([BENCH, "load", service.url, "--cacert", service.certificate, "--mix", "get=1", "--rate", "50",
                                "--duration", "1h", "--warmup", "0", "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    before = len(service.lines)
    wait_until(lambda: sum("/healthz" in line for line in service.lines[before:]) > 5, "requests at the service")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED
    assert json.loads(said)["interrupted"] is True


def test_a_service_that_goes_away_is_counted_and_found_again(tmp_path):
    service = Service(tmp_path).start()
    process = subprocess.Popen([BENCH, "load", service.url, "--insecure", "--mix", "get=1", "--rate", "50", "--duration", "15s",
                                "--warmup", "0", "--timeout", "500ms", "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_until(lambda: sum("/healthz" in line for line in service.lines) > 5, "requests at the service")
    service.kill()
    before = len(service.lines)
    service.start()
    wait_until(lambda: process.poll() is not None or sum("/healthz" in line for line in service.lines[before:]) > 5, "requests again")
    figures = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    service.stop()
    assert process.returncode == GOOD
    assert figures["all"]["count"] == 750
    assert figures["all"]["outcomes"]["ok"] > 0


def test_a_service_that_stands_still_makes_every_request_late_that_was_due_meanwhile(service):
    """A closed loop of four connections would see four slow requests, and hundreds of fast ones."""
    process = subprocess.Popen([BENCH, "load", service.url, "--insecure", "--mix", "get=1", "--rate", "100", "--duration", "10s",
                                "--warmup", "0", "--connections", "4", "--timeout", "60s", "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    before = len(service.lines)
    wait_until(lambda: sum("/healthz" in line for line in service.lines[before:]) > 5, "requests at the service")
    service.process.send_signal(signal.SIGSTOP)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(3)
    service.process.send_signal(signal.SIGCONT)
    figures = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    assert figures["all"]["count"] == 1000
    late = 100 - max(percent for percent, ms in figures["routes"][0]["percentiles"] if ms < 100)
    assert late > 20, figures["routes"][0]["percentiles"]


def test_the_page_is_drawn_or_what_it_lacks_is_said_before_the_run(service, tmp_path):
    page = tmp_path / "run.html"
    arguments = ("load", service.url, "--cacert", service.certificate, *SHORT, "--mix", "get=1", "--html", page)
    can_draw = subprocess.run(["python3", "-c", "import matplotlib"], capture_output=True).returncode == 0
    if can_draw:
        bench(*arguments)
        text = page.read_text()
        assert text.count("<svg") == 2
        assert not re.search(r'(src|href)="(?!#)', text)  # it needs no other file
    else:
        assert "matplotlib" in refused(*arguments)


# ---- what is refused, with one line

@pytest.mark.parametrize("arguments, said", [
    ([], "is missing"),
    (["ftp://127.0.0.1"], "https://HOST"),
    (["https://127.0.0.1:0"], "https://HOST"),
    (["https://127.0.0.1:1"], "cannot be reached"),
    (["https://name.invalid"], "no address"),
    (["https://192.0.2.1"], "--yes-i-own-it"),
    (["https://127.0.0.1:1", "--rate", "0"], "no rate"),
    (["https://127.0.0.1:1", "--rate", "1e99"], "no rate"),
    (["https://127.0.0.1:1", "--slo", "verify:p99=5"], "no limit"),
    (["https://127.0.0.1:1", "--mix", "vrfy=1"], "no share"),
    (["https://127.0.0.1:1", "--mix", "refresh=1", "--tokens", "3"], "too few"),
    (["https://127.0.0.1:1", "--json", "/nonexistent/file"], "cannot be written"),
    (["https://127.0.0.1:1", "--frobnicate"], "not an option"),
])
def test_what_cannot_be_measured_is_refused_in_one_line(arguments, said):
    assert said in refused("load", *arguments)


def test_a_certificate_that_does_not_verify_is_refused(service):
    assert "does not verify" in refused("load", service.url)
    assert "does not verify" in refused("conns", service.url)


def test_a_certificate_of_another_name_is_refused(service, tmp_path):
    """127.0.0.2 is this machine, and no name of the certificate."""
    wide = Service(tmp_path, LISTEN="0.0.0.0").start()
    assert "does not verify" in refused("load", f"https://127.0.0.2:{wide.port}", "--cacert", wide.certificate)
    wide.stop()


@pytest.mark.parametrize("option", ["--users-file", "--tokens-file"])
def test_a_file_without_lines_is_not_read_to_its_end(service, option):
    assert "too long" in refused("load", service.url, "--cacert", service.certificate, option, "/dev/zero")


@pytest.mark.parametrize("rate", ["0.0000000001", "0.1"])
def test_a_rate_of_less_than_one_in_the_whole_run_asks_once_and_ends(service, rate):
    assert load(service, "--rate", rate)["all"]["count"] == 1


def test_answers_of_an_error_are_refused_before_the_run(service, tmp_path):
    trusted = ("--cacert", service.certificate)
    assert "gives 404" in refused("load", service.url, *trusted, "--mix", "get=1", "--path", "/nowhere")
    users = tmp_path / "users.txt"
    users.write_text(f"{unique_name()}:{PASSWORD}\n")
    assert "POST /login gives 401" in refused("load", service.url, *trusted, "--users-file", users)


@contextlib.contextmanager
def pretender(service, answer):
    """A TLS server that answers whatever comes with these bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(service.certificate, service.directory / "var" / "tls.key")

    def serve(plain):
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            while connection.recv(65536):
                connection.sendall(answer)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("answer, said", [
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "without tokens"),
    (2 * b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no request asked for"),
    (b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\n\x1b[2", "gives 500: ?[2"),
])
def test_a_target_that_answers_garbage_is_refused(service, answer, said):
    with pretender(service, answer) as url:
        assert said in refused("load", url, "--cacert", service.certificate)


# ---- conns

def test_connections_are_opened_looked_at_and_resumed(service, tmp_path):
    file = tmp_path / "conns.json"
    bench("conns", service.url, "--cacert", service.certificate, "--pid", service.process.pid, "--count", "30",
          "--rest", "0", "--json", file)
    figures = json.loads(file.read_text())
    assert figures["full"]["count"] == figures["resumed"]["count"] == 30
    assert figures["full"]["resumed"] == 0 and figures["resumed"]["resumed"] == 30
    assert figures["before_bytes"] > 0 and figures["open_bytes"] > 0 and figures["full"]["server_us"] > 0


def test_connections_that_cannot_be_are_refused_in_one_line(service):
    trusted = ("--cacert", service.certificate)
    assert "process" in refused("conns", service.url, *trusted, "--pid", "2147483647")
    assert "whole number" in refused("conns", service.url, *trusted, "--count", "0")
