"""./dev bench http: GET /verify over TLS beside a bare libuv and OpenSSL server with a fixed answer, and refreshes.

wrk with 64 kept connections on the same cores, the two servers in alternating rounds, with 1, 1,000 and 100,000 tokens
in play, with one that is never in the cache, and pipelined. The ratio of rates is what a client sees, and on a machine
with other work it is mostly noise; so the processor time of a request is taken as well, the server's and wrk's, the best
round of each, and from it the ratio on cores that do nothing else. Refreshes stand beside what the disk can make
durable: each answer waits for a sync of its group. Writes bench/results/http.json.
"""
import argparse
import contextlib
import glob
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

from common import ROOT, keep, machine, machine_text, ninja, run, table
from service import Service, bearer, free_port, wait_until

CORES = os.cpu_count()
CONNECTIONS = 64
PIPELINED = 8
SECRET = "a secret of the bench, 32 bytes or more"
# Every loop may come to keep every token: some 600 bytes each, twice.
CACHE_BYTES = 192 << 20
SESSIONS = 320

# In random order; each thread has its own.
VERIFY = """
local tokens, head, tail, pipelined = {}, nil, nil, 1
local threads = 0
function setup(thread) thread:set("number", threads) threads = threads + 1 end
function init(args)
  for token in io.lines(args[1]) do tokens[#tokens + 1] = token end
  pipelined = tonumber(args[2])
  head, tail = wrk.format("GET", "/verify", {Authorization = "Bearer @"}):match("(.*)@(.*)")
  math.randomseed(os.time() + number)
end
function request()
  local all = head .. tokens[math.random(#tokens)] .. tail
  for _ = 2, pipelined do all = all .. head .. tokens[math.random(#tokens)] .. tail end
  return all
end
"""

# Each answer holds the next token of its session.
REFRESH = """
local tokens, first = {}, 1
local threads = 0
function setup(thread) thread:set("number", threads) threads = threads + 1 end
function init(args)
  local line = 0
  for token in io.lines(args[1]) do
    if line % 2 == number then tokens[#tokens + 1] = token end
    line = line + 1
  end
end
function request()
  local token = tokens[first]
  first = first + 1
  return wrk.format("POST", "/refresh-token", {["Content-Type"] = "application/json"},
                    '{"refresh_token":"' .. token .. '"}')
end
function response(status, headers, body)
  tokens[#tokens + 1] = body:match('"refresh_token":"([^"]+)"')
end
"""


def cpu_us(pid):
    """All threads' of a process, so far."""
    return sum(int(pathlib.Path(f).read_text().split()[0]) for f in glob.glob(f"/proc/{pid}/task/*/schedstat")) / 1e3


def load(url, pid, seconds, script, *arguments):
    """One run of wrk: rate, p99, and processor time of a request, the server's and wrk's."""
    server, own = cpu_us(pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run("wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "20s", "-s", script, url,
               "--", *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = int(re.search(r"(\d+) requests in", said)[1])
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return {"per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
            "p99_ms": float(amount) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit],
            "refused": int(refused[1]) if refused else 0,
            "server_us": (cpu_us(pid) - server) / count,
            "client_us": 1e6 * (after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime) / count}


def compare(ours, bare):
    """Rounds of both: medians of what was seen, the best of what was used."""
    middle = lambda rounds, key: statistics.median(r[key] for r in rounds)
    least = lambda rounds, key: min(r[key] for r in rounds)
    figures = {f"{who}_{key}": of(rounds, key) for who, rounds in (("our", ours), ("bare", bare))
               for key, of in (("per_second", middle), ("p99_ms", middle), ("server_us", least), ("client_us", least))}
    all_us = lambda who: figures[f"{who}_server_us"] + figures[f"{who}_client_us"]
    return figures | {"ratio_seen": statistics.median(o["per_second"] / b["per_second"] for o, b in zip(ours, bare)),
                      "ratio_of_processor": all_us("bare") / all_us("our"),
                      "refused": sum(r["refused"] for r in ours)}


class Bench:
    def __init__(self, directory, seconds, rounds, counts):
        self.directory, self.seconds, self.rounds, self.counts = pathlib.Path(directory), seconds, rounds, counts
        self.script = self.directory / "verify.lua"
        self.script.write_text(VERIFY)

    def service(self, name, **settings):
        return Service(self.directory / name, binary=ROOT / "build/doorward", LOG_LEVEL="error", BCRYPT_COST=4,
                       METRICS_PORT=free_port(), **settings)

    @contextlib.contextmanager
    def running(self, name, **settings):
        service = self.service(name, **settings).start()
        try:
            yield service
        finally:
            service.stop()

    @contextlib.contextmanager
    def ceiling(self, service):
        port, var = free_port(), service.directory / "var"
        process = subprocess.Popen([ROOT / "build/bench/bench-ceiling", str(port), var / "tls.crt", var / "tls.key",
                                    str(CORES)], stdout=subprocess.DEVNULL)
        try:
            listening = ["ss", "-ltn", f"sport = :{port}"]
            wait_until(lambda: b"LISTEN" in subprocess.run(listening, capture_output=True).stdout, "the ceiling")
            yield f"https://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait()

    # ---- /verify

    def tokens(self, count):
        path = self.directory / f"tokens-{count}"
        if not path.exists():
            run(ROOT / "build/bench/bench-token", "make", SECRET, count, path)
        return path

    def cache(self, service):
        import urllib.request
        text = urllib.request.urlopen(f"http://127.0.0.1:{service.settings['METRICS_PORT']}/metrics").read().decode()
        return [float(re.search(rf'^doorward_token_cache_total{{outcome="{name}"}} (\S+)$', text, re.M)[1])
                for name in ("hit", "miss")]

    def warm(self, service, file):
        """Until no more than one in a hundred is new to its loop, or long enough."""
        for _ in range(8):
            hits, misses = self.cache(service)
            load(service.url, service.process.pid, self.seconds, self.script, file, PIPELINED)
            after = self.cache(service)
            if after[1] - misses <= 0.01 * (after[0] - hits):
                return

    def alternate(self, service, file, pipelined=1):
        ours, bare = [], []
        with self.ceiling(service) as (url, pid):
            for _ in range(self.rounds):
                bare.append(load(url, pid, self.seconds, self.script, file, pipelined))
                ours.append(load(service.url, service.process.pid, self.seconds, self.script, file, pipelined))
        return compare(ours, bare)

    def verify(self):
        results = {}
        with self.running("hot", JWT_SECRET=SECRET, TOKEN_CACHE_BYTES=CACHE_BYTES) as service:
            for count in self.counts:
                self.warm(service, self.tokens(count))
                hits, misses = self.cache(service)
                results[str(count)] = self.alternate(service, self.tokens(count))
                after = self.cache(service)
                results[str(count)]["hit_share"] = (after[0] - hits) / (sum(after) - hits - misses)
            results["pipelined"] = self.alternate(service, self.tokens(1), PIPELINED)
        return results

    def cold(self):
        """ES256 without a cache: every request is one signature check."""
        with self.running("cold", TOKEN_CACHE_BYTES=0) as service:
            file = self.directory / "token"
            file.write_text(bearer(service.newcomer()[1])["Authorization"].removeprefix("Bearer ") + "\n")
            return self.alternate(service, file)

    # ---- refreshes

    def sessions(self, service):
        names = [service.register()["username"] for _ in range(SESSIONS // 40)]
        with service.client() as client:
            answers = [client.post("/login", json={"username": name, "password": "correct horse battery"})
                       for name in names for _ in range(40)]
        return [answer.json()["refresh_token"] for answer in answers]

    def refresh(self):
        file, script = self.directory / "refresh-tokens", self.directory / "refresh.lua"
        script.write_text(REFRESH)
        syncs, rounds = [], []
        with self.running("refresh") as service:
            for _ in range(self.rounds):
                syncs.append(syncs_a_second(self.directory, self.seconds / 4))
                file.write_text("\n".join(self.sessions(service)) + "\n")
                rounds.append(load(service.url, service.process.pid, self.seconds, script, file))
        best = max(rounds, key=lambda r: r["per_second"])
        return best | {"syncs_per_second": max(syncs), "a_sync": best["per_second"] / max(syncs)}


def syncs_a_second(directory, seconds):
    """Appends of a page, each made durable, one after the other."""
    page, count, end = bytes(4096), 0, time.monotonic() + seconds
    with open(pathlib.Path(directory) / "sync", "wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(page)
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def tell(r):
    rows = [("/verify", "ours /s", "bare /s", "seen", "by processor time", "p99 ms", "bare p99 ms", "cached")]
    names = {"pipelined": f"{PIPELINED} pipelined", "cold": "never in the cache"}
    for name, f in {**r["verify"], "cold": r["cold"]}.items():
        rows.append((names.get(name, f"{name} tokens"), f"{f['our_per_second']:.0f}", f"{f['bare_per_second']:.0f}",
                     f"{f['ratio_seen']:.2f}", f"{f['ratio_of_processor']:.2f}", f"{f['our_p99_ms']:.1f}",
                     f"{f['bare_p99_ms']:.1f}", f"{f['hit_share']:.2f}" if "hit_share" in f else ""))
    refresh = r["refresh"]
    print(machine_text(r["machine"]))
    print(table(rows))
    print(f"refreshes, each durable: {refresh['per_second']:.0f}/s, p99 {refresh['p99_ms']:.1f} ms, "
          f"{refresh['server_us']:.0f} µs of processor; the disk syncs {refresh['syncs_per_second']:.0f} times a second")


def main(arguments):
    options = argparse.ArgumentParser(prog="./dev bench http", description=__doc__.splitlines()[0])
    options.add_argument("--smoke", action="store_true", help="a second of each, to see that it works; keeps nothing")
    smoke = options.parse_args(arguments).smoke
    ninja("bench-ceiling", "bench-token")
    directory = tempfile.mkdtemp(prefix="doorward-bench-")
    try:
        bench = Bench(directory, *((1, 1, (1, 1_000)) if smoke else (2, 3, (1, 1_000, 100_000))))
        results = {"machine": machine(), "verify": bench.verify(), "cold": bench.cold(), "refresh": bench.refresh()}
    finally:
        shutil.rmtree(directory)
    refused = {name: f["refused"] for name, f in {**results["verify"], "refresh": results["refresh"]}.items()}
    if any(refused.values()):
        raise SystemExit(f"bench: requests were refused: {refused}")
    if not smoke:
        keep("http.json", results)
    tell(results)
