"""What a flood of logins leaves of the service, as ratios within one run.

The service runs in a session of its own, as it is deployed: where the kernel shares the machine by sessions, low priority is
low within one only. What it is measured against (the engine alone, the bare server beside busy loops) does too, in turns
with it. The load comes from bench/flood.c, on the same cores.
"""
import contextlib
import json
import os
import statistics
import subprocess
import time

from common import CORES, RELEASE, Goal, ceiling, run, running, say, scratch, table
from service import PASSWORD, in_parallel

CLIENTS = 64
ACCOUNTS = 16
VERIFY_RATE = 500
VERIFY_CONNECTIONS = 16
MANY = 10  # times the capacity arrive
EAGER_CONNECTIONS = 1000
# As the engine's threads: see lower_priority() in src/password/hasher.c.
BUSY = "i=0; while [ $i -lt $0 ]; do i=$((i + 1)); nice -n 10 chrt -b 0 sh -c 'while :; do :; done' & done; exec \"$@\""



class Bench:
    def __init__(self, service, bodies, token, cost, seconds):
        self.service, self.bodies, self.token, self.cost, self.seconds = service, bodies, token, cost, seconds

    # ---- loads

    def command(self, port, **options):
        options = {"seconds": self.seconds + 1.5, "warm": 1.5, **options}
        return [RELEASE.helper("bench-flood"), f"port={port}", *(f"{name}={value}" for name, value in options.items())]

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
        found = RELEASE.bench("hash", "--cost", self.cost, "--threads", CORES, "--rounds", 3,
                              "--ms", round(self.seconds * 100), start_new_session=True)
        return 1e9 / found["cases"][0]["sides"][0]["elapsed_ns"]["median"]

    def verify_under_flood(self):
        flood = subprocess.Popen(self.logins(connections=CLIENTS, seconds=self.seconds + 4), stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            return self.load(self.verify(self.service.port))["good"]["p99_ms"]
        finally:
            flood.terminate()
            flood.wait()

    def ceiling_beside_busy_loops(self):
        with ceiling(self.service, prefix=("sh", "-c", BUSY, str(CORES))) as (url, _):
            return self.load(self.verify(url.rpartition(":")[2]))["good"]["p99_ms"]

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
    with scratch() as directory, running(
            directory / "service", popen={"start_new_session": True}, BCRYPT_COST=cost, LOGIN_ATTEMPTS=1000,
            TRUSTED_PROXIES="127.0.0.1") as service:
        names = in_parallel(ACCOUNTS, lambda _: service.register()["username"])
        bodies = directory / "bodies"
        bodies.write_text("".join(json.dumps({"username": name, "password": PASSWORD}) + "\n" for name in names))
        _, tokens = service.newcomer()  # its own: the others' sessions are many, and the oldest end
        yield Bench(service, bodies, tokens["access_token"], cost, seconds)


def pick(value, path):
    for key in path:
        value = value[key]
    return value


def middle(results, *path):
    return statistics.median(pick(r, path) for r in results["rounds"])


def measure(how):
    cost, rounds, seconds = (8, 1, 1) if how.smoke else (12, 3, 4)
    with bench(cost, seconds) as b:
        return {"cost": cost, "rounds": [b.round() for _ in range(rounds)]}


def tell(results):
    of = lambda *path: middle(results, *path)
    worst = max(r["ten_times"]["login_after_s"] for r in results["rounds"])
    bare = sum(pick(r, (kind, "refused_bare")) for r in results["rounds"] for kind in ("clients", "ten_times", "eager"))
    slow = [r["ten_times"]["refused"]["p99_ms"] for r in results["rounds"] if r["ten_times"]["refused"]["count"] > 0]
    refusals = f"p99 {statistics.median(slow):.1f} ms" if slow else "none"
    return table([
        (f"engine alone, cost {results['cost']}", f"{of('engine_per_second'):.1f}/s"),
        (f"{CLIENTS} clients logging in", f"{of('clients', 'good_per_second'):.1f}/s, "
                                          f"{100 * of('of_engine'):.0f} % of the engine alone"),
        ("/verify under that, p99", f"{of('verify_p99_ms'):.1f} ms; the bare server beside busy loops "
                                    f"{of('ceiling_p99_ms'):.1f} ms"),
        (f"arrivals of {MANY} times the capacity", f"{100 * of('ten_times_of_peak'):.0f} % of the peak; refusals: {refusals}, "
                                                   f"{bare} without Retry-After"),
        ("  a login a second later", f"{1e3 * worst:.0f} ms, idle {1e3 * of('idle_login_s'):.0f} ms"),
        (f"{EAGER_CONNECTIONS} connections that retry at once", f"{100 * of('eager_of_peak'):.0f} % of the peak"),
    ])


def goals(results):
    ours, bare = middle(results, "verify_p99_ms"), middle(results, "ceiling_p99_ms")
    return [Goal("/verify under a login flood of 64 clients, p99", ours, max(5, 1.5 * bare), unit=" ms",
                 also=f"the bare server beside busy loops: {bare:.1f} ms")]
