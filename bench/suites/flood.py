"""./dev bench flood: what a flood of logins leaves of the service, as ratios within one run.

The service runs in a session of its own, as it is deployed: where the kernel shares the machine by sessions, low priority is
low within one only. What it is measured against (the engine alone, the bare server beside busy loops) does too, in turns
with it. The load comes from bench/flood.c, on the same cores. Writes bench/results/flood.json.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from common import ROOT, keep, machine, machine_text, ninja, run, table
from service import PASSWORD, Service, free_port, in_parallel, wait_until

CORES = os.cpu_count()
CLIENTS = 64
ACCOUNTS = 16
VERIFY_RATE = 500
VERIFY_CONNECTIONS = 16
MANY = 10  # times the capacity arrive
EAGER_CONNECTIONS = 1000
# As the engine's threads: see lower_priority() in src/password/hasher.c.
BUSY = "i=0; while [ $i -lt $0 ]; do i=$((i + 1)); nice -n 10 chrt -b 0 sh -c 'while :; do :; done' & done; exec \"$@\""


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, service, bodies, token, cost, seconds):
        self.service, self.bodies, self.token, self.cost, self.seconds = service, bodies, token, cost, seconds

    # ---- loads

    def command(self, port, **options):
        options = {"seconds": self.seconds + 1.5, "warm": 1.5, **options}
        return [ROOT / "build/bench/bench-flood", f"port={port}", *(f"{name}={value}" for name, value in options.items())]

    def logins(self, **options):
        return self.command(self.service.port, path="/login", bodies=self.bodies, **options)

    def verify(self, port):
        return self.command(port, path="/verify", connections=VERIFY_CONNECTIONS, rate=VERIFY_RATE, bearer=self.token)

    @staticmethod
    def load(command):
        result = json.loads(run(*command))
        result["good_per_second"] = result["good"]["count"] / result["seconds"]
        return result

    def login_s(self):
        """How long it takes until one login is served, refusals included."""
        with self.service.client() as client:
            client.get("/healthz")
            status, began = None, time.perf_counter()
            while status != 200:
                status = client.post("/login", content=self.bodies.read_text().splitlines()[0],
                                     headers={"Content-Type": "application/json"}).status_code
                assert status in (200, 503), status
            return time.perf_counter() - began

    # ---- what is measured

    def engine_per_second(self):
        """Hashes a second of the engine alone, all lanes of all cores full."""
        said = run(ROOT / "build/bench/bench-hash", "costs", self.cost, self.cost, 1, round(self.seconds * 1000 / 3), CORES,
                   start_new_session=True)
        full = next(s for s in map(json.loads, said.splitlines()) if s["load"] == "full")
        return full["hashes"] * 1e6 / full["elapsed_us"]

    def verify_under_flood(self):
        flood = subprocess.Popen(self.logins(connections=CLIENTS, seconds=self.seconds + 4), stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            return self.load(self.verify(self.service.port))["good"]["p99_ms"]
        finally:
            flood.terminate()
            flood.wait()

    def ceiling_beside_busy_loops(self):
        port, var = free_port(), self.service.directory / "var"
        ceiling = [ROOT / "build/bench/bench-ceiling", str(port), var / "tls.crt", var / "tls.key", str(CORES)]
        bare = subprocess.Popen(["sh", "-c", BUSY, str(CORES), *ceiling], stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_until(lambda: b"LISTEN" in subprocess.run(["ss", "-ltn", f"sport = :{port}"], capture_output=True).stdout,
                       "the ceiling")
            return self.load(self.verify(port))["good"]["p99_ms"]
        finally:
            os.killpg(bare.pid, signal.SIGKILL)
            bare.wait()

    def ten_times(self, peak):
        result = self.load(self.logins(connections=400, rate=MANY * peak, forwarded=1))
        time.sleep(1)
        result["login_after_s"] = self.login_s()
        return result

    def eager(self):
        return self.load(self.logins(connections=EAGER_CONNECTIONS))

    def round(self):
        say("a round: idle login, engine alone, 64 clients, /verify, arrivals, eager connections")
        r = {"idle_login_s": self.login_s(), "engine_per_second": self.engine_per_second()}
        r["clients"] = self.load(self.logins(connections=CLIENTS))
        r["verify_p99_ms"] = self.verify_under_flood()
        r["ceiling_p99_ms"] = self.ceiling_beside_busy_loops()
        peak = r["clients"]["good_per_second"]
        r["ten_times"] = self.ten_times(peak)
        r["eager"] = self.eager()
        r["of_engine"] = peak / r["engine_per_second"]
        r["ten_times_of_peak"] = r["ten_times"]["good_per_second"] / peak
        r["eager_of_peak"] = r["eager"]["good_per_second"] / peak
        r["load_average"] = os.getloadavg()[0]
        say(json.dumps({k: v for k, v in r.items() if not isinstance(v, dict)}))
        return r


@contextlib.contextmanager
def bench(cost, seconds):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="doorward-flood-"))
    service = Service(directory / "service", binary=ROOT / "build/doorward", LOG_LEVEL="error", BCRYPT_COST=cost,
                      LOGIN_ATTEMPTS=1000, TRUSTED_PROXIES="127.0.0.1").start(start_new_session=True)
    try:
        names = in_parallel(ACCOUNTS, lambda _: service.register()["username"])
        bodies = directory / "bodies"
        bodies.write_text("".join(json.dumps({"username": name, "password": PASSWORD}) + "\n" for name in names))
        _, tokens = service.newcomer()  # its own: the others' sessions are many, and the oldest end
        yield Bench(service, bodies, tokens["access_token"], cost, seconds)
    finally:
        service.stop()
        shutil.rmtree(directory)


def pick(value, path):
    for key in path:
        value = value[key]
    return value


def rows(results):
    middle = lambda *path: statistics.median(pick(r, path) for r in results["rounds"])
    worst = lambda *path: max(pick(r, path) for r in results["rounds"])
    bare = sum(pick(r, (kind, "refused_bare")) for r in results["rounds"] for kind in ("clients", "ten_times", "eager"))
    return [
        ("machine", machine_text(results["machine"])),
        (f"engine alone, cost {results['cost']}", f"{middle('engine_per_second'):.1f}/s"),
        (f"{CLIENTS} clients logging in", f"{middle('clients', 'good_per_second'):.1f}/s, "
                                          f"{100 * middle('of_engine'):.0f} % of the engine alone"),
        ("/verify under that, p99", f"{middle('verify_p99_ms'):.1f} ms; the bare server beside busy loops "
                                    f"{middle('ceiling_p99_ms'):.1f} ms"),
        (f"arrivals of {MANY} times the capacity", f"{100 * middle('ten_times_of_peak'):.0f} % of the peak; refusals: p99 "
                                                   f"{middle('ten_times', 'refused', 'p99_ms'):.1f} ms, {bare} without Retry-After"),
        ("  a login a second later", f"{1e3 * worst('ten_times', 'login_after_s'):.0f} ms, "
                                     f"idle {1e3 * middle('idle_login_s'):.0f} ms"),
        (f"{EAGER_CONNECTIONS} connections that retry at once", f"{100 * middle('eager_of_peak'):.0f} % of the peak"),
    ]


def main(arguments):
    options = argparse.ArgumentParser(prog="./dev bench flood", description=__doc__.splitlines()[0])
    options.add_argument("--cost", type=int, default=12)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--smoke", action="store_true", help="one short round, to see that it works")
    given = options.parse_args(arguments)
    cost, rounds, seconds = (8, 1, 1) if given.smoke else (given.cost, given.rounds, 12)
    ninja("bench-ceiling", "bench-hash", "bench/bench-flood")
    with bench(cost, seconds) as b:
        results = {"machine": machine(), "cost": cost, "rounds": [b.round() for _ in range(rounds)]}
    keep("flood.json", results)
    print(table(rows(results)))
