"""./dev bench: what one machine shows of start, memory, /verify and /login.

Figures of speed are ratios within one run, in alternating rounds, since machines differ and are noisy: /verify against
a bare libuv and OpenSSL server with a fixed answer (bench/ceiling.c), /login against the time of its password hashes.
Everything listens on 127.0.0.1 and stops by itself. Writes bench/results/latest.json and prints the table.
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from common import ROOT, keep, machine, machine_text, ninja, table, wrk
from service import PASSWORD, Service, bearer, free_port, wait_until


def pss_kb(pid):
    return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def measure_start(directory, rounds):
    """Milliseconds from exec to the first answer over TLS, keys and certificate present."""
    import socket
    import ssl
    service = Service(directory, binary=ROOT / "build/doorward", LOG_LEVEL="error", BCRYPT_COST=12)
    service.start().stop()
    context = ssl.create_default_context()
    context.load_verify_locations(service.certificate)
    times = []
    for _ in range(rounds):
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
        times.append((time.perf_counter() - began) * 1e3)
        wait_until(service._answers, "readiness")
        service.stop()
    return statistics.median(times)


def measure_memory(service, connections):
    """Idle PSS in MB, and kB of server memory for each idle TLS connection that has served a request."""
    import socket
    idle = pss_kb(service.process.pid)
    context = service.tls()
    held = []
    for _ in range(connections):
        secure = context.wrap_socket(socket.create_connection(("127.0.0.1", service.port)), server_hostname="localhost")
        secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        secure.recv(1000)
        held.append(secure)
    full = pss_kb(service.process.pid)
    for secure in held:
        secure.close()
    return idle / 1024, (full - idle) / connections


def measure_verify(service, directory, seconds, rounds):
    """Our /verify and the ceiling's fixed answer in alternating rounds; medians and their ratio."""
    _, tokens = service.newcomer()
    port = free_port()
    var = service.directory / "var"
    ceiling = subprocess.Popen([ROOT / "build/bench/bench-ceiling", str(port), var / "tls.crt", var / "tls.key",
                                str(os.cpu_count())], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: b"LISTEN" in subprocess.run(["ss", "-ltn", f"sport = :{port}"], capture_output=True).stdout,
                   "the ceiling")
        ours, bare = [], []
        for _ in range(rounds):
            bare.append(wrk(f"https://127.0.0.1:{port}/verify", seconds, 64, bearer(tokens)))
            ours.append(wrk(f"{service.url}/verify", seconds, 64, bearer(tokens)))
    finally:
        ceiling.terminate()
        ceiling.wait()
    middle = lambda results, key: statistics.median(r[key] for r in results)
    return {"per_second": middle(ours, "per_second"), "p99_ms": middle(ours, "p99_ms"), "refused": ours[-1]["refused"],
            "ceiling_per_second": middle(bare, "per_second"), "ceiling_p99_ms": middle(bare, "p99_ms"),
            "ratio": middle(ours, "per_second") / middle(bare, "per_second")}


LOGIN_SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"username":"%s","password":"%s"}'
"""


def hash_seconds(port):
    """Count and sum of the time of password hashes so far."""
    import urllib.request
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    value = lambda name: float(re.search(rf"^{name} (\S+)$", text, re.M)[1])
    return value("doorward_password_hash_seconds_count"), value("doorward_password_hash_seconds_sum")


def measure_login(service, directory, seconds):
    """Good logins a second from 64 clients, and how many lanes their hashes kept busy."""
    name = service.register()["username"]
    script = pathlib.Path(directory) / "login.lua"
    script.write_text(LOGIN_SCRIPT % (name, PASSWORD))
    count, total = hash_seconds(service.settings["METRICS_PORT"])
    result = wrk(f"{service.url}/login", seconds, 64, script=script)
    count, total = (b - a for a, b in zip((count, total), hash_seconds(service.settings["METRICS_PORT"])))
    good = max(result["per_second"] - result["refused"] / seconds, 0)
    return {"good_per_second": good, "refused_per_second": result["refused"] / seconds, "p99_ms": result["p99_ms"],
            "hash_ms": 1e3 * total / count if count else None, "lanes_busy": total / seconds}


def main(arguments):
    options = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    options.add_argument("--smoke", action="store_true", help="a second of each, to see that it works")
    smoke = options.parse_args(arguments).smoke
    ninja("bench-ceiling")
    directory = tempfile.mkdtemp(prefix="doorward-bench-")
    seconds, rounds = (1, 1) if smoke else (8, 3)
    results = {"machine": machine()}
    try:
        results["start_ms"] = measure_start(f"{directory}/start", 3 if smoke else 15)
        service = Service(f"{directory}/service", binary=ROOT / "build/doorward", LOG_LEVEL="error", BCRYPT_COST=12,
                          METRICS_PORT=free_port(), LOGIN_ATTEMPTS=1000).start()
        try:
            results["idle_mb"], results["tls_connection_kb"] = measure_memory(service, 100 if smoke else 1000)
            results["verify"] = measure_verify(service, directory, seconds, rounds)
            results["login"] = measure_login(service, directory, 2 if smoke else 15)
        finally:
            service.stop()
    finally:
        shutil.rmtree(directory)
    keep("latest.json", results)
    print(table(rows(results)))


def rows(r):
    verify, login = r["verify"], r["login"]
    return [
        ("machine", machine_text(r["machine"])),
        ("start to first answer over TLS", f"{r['start_ms']:.0f} ms"),
        ("memory idle (PSS)", f"{r['idle_mb']:.1f} MB"),
        ("an idle TLS connection", f"{r['tls_connection_kb']:.1f} kB"),
        ("/verify, 64 connections", f"{verify['per_second']:.0f}/s, p99 {verify['p99_ms']:.1f} ms"),
        ("  the bare server with a fixed answer", f"{verify['ceiling_per_second']:.0f}/s, p99 {verify['ceiling_p99_ms']:.1f} ms"),
        ("  ratio", f"{verify['ratio']:.2f}"),
        ("/login at cost 12, 64 clients", f"{login['good_per_second']:.1f}/s good, {login['refused_per_second']:.0f}/s refused"),
        ("  lanes that hashed meanwhile", f"{login['lanes_busy']:.1f} on average, {login['hash_ms'] or 0:.0f} ms a hash"),
    ]
