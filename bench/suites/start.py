"""How fast a usual start is, and what an idle service weighs."""
import socket
import ssl
import statistics
import time

from common import RELEASE, Goal, Service, pss_kb, running, scratch, tune, wait_until

SETTLE_S = 3  # heartbeats, sweeps and readers that come with the first seconds


def first_answer_ms(service, context):
    """From exec to the first answer over TLS."""
    began = time.perf_counter()
    service.launch()
    while True:
        try:
            plain = socket.create_connection(("127.0.0.1", service.port))
            break
        except ConnectionRefusedError:
            time.sleep(0.0005)
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 200")
    return (time.perf_counter() - began) * 1e3


def starts(directory, rounds):
    tune(directory)
    service = Service(directory, binary=RELEASE.doorward, patient=False, LOG_LEVEL="info", BCRYPT_COST=12)
    context = ssl.create_default_context()
    context.load_verify_locations(service.certificate)
    times = []
    for _ in range(rounds):
        times.append(first_answer_ms(service, context))
        wait_until(service._answers, "readiness")
        service.stop()
    return times


def measure(how):
    with scratch() as directory:
        times = starts(directory / "start", 2 if how.smoke else 15)
        with running(directory / "idle") as service:
            time.sleep(0 if how.smoke else SETTLE_S)
            idle = pss_kb(service.process.pid) / 1024
    return {"start_ms": statistics.median(times), "slowest_start_ms": max(times), "idle_mb": idle}


def tell(r):
    return (f"start to first answer over TLS: {r['start_ms']:.0f} ms, the slowest {r['slowest_start_ms']:.0f} ms; "
            f"keys and the kernel's tuning kept from before\nidle (PSS): {r['idle_mb']:.1f} MB")


def goals(r):
    return [Goal("start to first answer over TLS", r["start_ms"], 50, unit=" ms"),
            Goal("idle (PSS)", r["idle_mb"], 10, unit=" MB")]
