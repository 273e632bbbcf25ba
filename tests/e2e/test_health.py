"""`doorward health`: the check of a container that has no other program in it."""
import contextlib
import socket
import subprocess
import threading

import pytest

from service import PATIENCE_S, free_port, wait_until


def health(service, *options):
    """What it says once it is well: it waits for three seconds only, for which this machine may stand still."""
    ask = lambda: subprocess.run([service.binary, "health", *options], cwd=service.directory, env=service.environment,
                                 capture_output=True, text=True, timeout=PATIENCE_S)
    return wait_until(lambda: (done := ask()).returncode == 0 and done, "health")


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.parametrize("settings", [
    {}, {"TLS": "off", "scheme": "http"}, {"LISTEN": "0.0.0.0"},
    pytest.param({"LISTEN": "::1,127.0.0.1"}, marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here"))])
def test_a_service_that_runs_is_healthy_and_ready(start_service, settings):
    service = start_service(**settings)
    for option, path in ([], "/healthz"), (["--ready"], "/readyz"):
        done = health(service, *option)
        assert done.stdout.endswith(f":{service.port}{path}: 200\n")


def test_where_nobody_listens_nothing_is_healthy(new_service):
    done = new_service().cli("health", code=1)
    assert "no answer" in done.stderr and done.stderr.count("\n") == 1


def test_who_speaks_no_tls_or_says_nothing_is_not_healthy(new_service):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def talk():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 this is another service\r\n")
                while connection.recv(1000):
                    pass
        thread = threading.Thread(target=talk)
        thread.start()
        done = new_service(PORT=server.getsockname()[1]).cli("health", code=1)
        thread.join()
    assert "no answer" in done.stderr


def test_a_port_that_is_not_known_is_a_bad_question(new_service):
    service = new_service(PORT=free_port())
    service.settings["PORT"] = "0"
    done = service.cli("health", code=2)
    assert "PORT=0" in done.stderr


def test_draining_is_not_ready_but_healthy(start_service):
    service = start_service(DRAIN_DELAY=300)
    service.process.terminate()
    service.wait_for_event(event="draining")
    health(service)
    wait_until(lambda: service.cli("health", "--ready", code=1).stderr.endswith("/readyz: 503\n"), "its answer")
    service.process.kill()
