"""GET /verify over TLS beside a bare libuv and OpenSSL server with a fixed answer, and refreshes beside the disk.

wrk with 64 kept connections on the same cores, the two servers in alternating rounds, with 1, 1,000 and 100,000 tokens
in play, with one that is never in the cache, and pipelined. The ratio of rates is what a client sees, and on a machine
with other work it is mostly noise; so the processor time of a request is taken as well, the server's and wrk's, the best
round of each, and from it the ratio on cores that do nothing else. Refreshes stand beside what the disk can make
durable: each answer waits for a sync of its group.
"""
import math
import os
import pathlib
import re
import resource
import statistics
import time
import urllib.request

from common import Goal, RELEASE, ceiling, cpu_us, figure, free_port, plus_minus, ratio, run, running, scratch, table
from service import PASSWORD, bearer

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


def load(url, pid, seconds, script, *arguments, connections=CONNECTIONS):
    """One run of wrk: rate, p99, and processor time of a request, the server's and wrk's."""
    server, own = cpu_us(pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run("wrk", "-t2", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--latency", "--timeout", "20s", "-s", script, url,
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
    each = lambda key: ratio([r[key] for r in ours], [r[key] for r in bare])
    return figures | {"of_ceiling": each("per_second"), "p99_of_ceiling": each("p99_ms"),
                      "of_ceiling_by_processor": all_us("bare") / all_us("our"),
                      "refused": sum(r["refused"] for r in ours)}


def bearer_file(path, tokens):
    path.write_text(bearer(tokens)["Authorization"].removeprefix("Bearer ") + "\n")
    return path


class VerifyClient:
    """One token of each service, in its cache."""
    def __init__(self, directory):
        self.directory, self.files = directory, {}
        self.script = directory / "verify.lua"
        self.script.write_text(VERIFY)

    def load(self, service, seconds):
        if service.port not in self.files:
            self.files[service.port] = bearer_file(self.directory / f"token-{service.port}", service.newcomer()[1])
        return load(service.url, service.process.pid, seconds, self.script, self.files[service.port], 1)


class RefreshClient:
    """New sessions each time: a token that was left behind by the last round would end its session."""
    def __init__(self, directory):
        self.file, self.script = directory / "refresh-tokens", directory / "refresh.lua"
        self.script.write_text(REFRESH)

    def load(self, service, seconds):
        self.file.write_text("\n".join(sessions(service)) + "\n")
        return load(service.url, service.process.pid, seconds, self.script, self.file)


class Verify:
    def __init__(self, directory, seconds, rounds):
        self.directory, self.seconds, self.rounds = directory, seconds, rounds
        self.script = directory / "verify.lua"
        self.script.write_text(VERIFY)

    def tokens(self, count):
        path = self.directory / f"tokens-{count}"
        if not path.exists():
            run(RELEASE.program, "token", "--make", count, "--secret", SECRET, "--file", path)
        return path

    def cache(self, service):
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
        with ceiling(service) as (url, pid):
            for _ in range(self.rounds):
                bare.append(load(url, pid, self.seconds, self.script, file, pipelined))
                ours.append(load(service.url, service.process.pid, self.seconds, self.script, file, pipelined))
        return compare(ours, bare)

    def cached(self, counts):
        results = {}
        with running(self.directory / "hot", JWT_SECRET=SECRET, TOKEN_CACHE_BYTES=CACHE_BYTES,
                     METRICS_PORT=free_port()) as service:
            for count in counts:
                self.warm(service, self.tokens(count))
                hits, misses = self.cache(service)
                found = self.alternate(service, self.tokens(count))
                after = self.cache(service)
                results[f"tokens in play: {count:,}"] = found | {"hit_share": (after[0] - hits) / (sum(after) - hits - misses)}
            results[f"{PIPELINED} pipelined"] = self.alternate(service, self.tokens(1), PIPELINED)
        return results

    def cold(self):
        """ES256 without a cache: every request is one signature check."""
        with running(self.directory / "cold", TOKEN_CACHE_BYTES=0) as service:
            return self.alternate(service, bearer_file(self.directory / "token", service.newcomer()[1]))


# ---- refreshes

def sessions(service):
    names = [service.register()["username"] for _ in range(SESSIONS // 40)]
    with service.client() as client:
        answers = [client.post("/login", json={"username": name, "password": PASSWORD})
                   for name in names for _ in range(40)]
    return [answer.json()["refresh_token"] for answer in answers]


def syncs_a_second(directory, seconds):
    """Appends of a page, each made durable, one after the other."""
    page, count, end = bytes(4096), 0, time.monotonic() + seconds
    with open(pathlib.Path(directory) / "sync", "wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(page)
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def refresh(directory, seconds, rounds):
    client, syncs, found = RefreshClient(directory), [], []
    with running(directory / "refresh", BCRYPT_COST=4) as service:
        for _ in range(rounds):
            syncs.append(syncs_a_second(directory, seconds / 4))
            found.append(client.load(service, seconds))
    best = max(found, key=lambda r: r["per_second"])
    return best | {"syncs_per_second": max(syncs), "a_sync": best["per_second"] / max(syncs)}


# ---- a run

def measure(how):
    seconds, rounds, counts = (1, 1, (1, 1_000)) if how.smoke else (2, 4, (1, 1_000, 100_000))
    with scratch() as directory:
        verify = Verify(directory, seconds, rounds)
        results = {"verify": verify.cached(counts) | {"never in the cache": verify.cold()},
                   "refresh": refresh(directory, seconds, min(rounds, 3))}
    refused = {name: f["refused"] for name, f in {**results["verify"], "refresh": results["refresh"]}.items()}
    if any(refused.values()):
        raise SystemExit(f"bench: requests were refused: {refused}")
    return results


def tell(r):
    rows = [("/verify", "ours /s", "bare /s", "of the bare", "±", "by processor", "p99 ms", "bare p99 ms", "cached")]
    for name, f in r["verify"].items():
        rows.append((name, figure(f["our_per_second"]), figure(f["bare_per_second"]), f"{f['of_ceiling']['median']:.2f}",
                     plus_minus(f["of_ceiling"]), f"{f['of_ceiling_by_processor']:.2f}", f"{f['our_p99_ms']:.1f}",
                     f"{f['bare_p99_ms']:.1f}", f"{f['hit_share']:.2f}" if "hit_share" in f else ""))
    refreshes = r["refresh"]
    return (f"{table(rows)}\nrefreshes, each durable: {refreshes['per_second']:.0f}/s, p99 {refreshes['p99_ms']:.1f} ms, "
            f"{refreshes['server_us']:.0f} µs of processor; the disk syncs {refreshes['syncs_per_second']:.0f} times a second")


def goals(r):
    one = r["verify"]["tokens in play: 1"]
    return [Goal("/verify, part of the ceiling's requests/s, 64 connections", one["of_ceiling"]["median"], 0.9, at_least=True,
                 also=f"by processor time {one['of_ceiling_by_processor']:.2f}"),
            Goal("/verify, p99 in times of the ceiling's", one["p99_of_ceiling"]["median"], 1.2,
                 also=f"{one['our_p99_ms']:.1f} and {one['bare_p99_ms']:.1f} ms")]
