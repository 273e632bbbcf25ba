"""Handshakes, full and resumed, beside a bare libuv and OpenSSL server, and what idle TLS connections weigh.

doorward-bench conns opens them: some at a time in turns with the bare server, then ten thousand at once.
"""
import json
import statistics
import time

from common import Goal, RELEASE, ceiling, figure, plus_minus, ratio, run, running, scratch, table

AT_ONCE = 1000
MANY = 10_000
SPARE = 100


def conns(url, pid, count, rest="0ms"):
    return json.loads(run(RELEASE.program, "conns", url, "--insecure", "--pid", pid, "--count", count, "--rest", rest,
                          "--json", "-"))


def handshakes(service, rounds, count):
    ours, bare = [], []
    with ceiling(service) as (url, pid):
        for _ in range(rounds):
            bare.append(conns(url, pid, count))
            ours.append(conns(service.url, service.process.pid, count))
    of = lambda found, kind, key: [one[kind][key] for one in found]
    kinds = {}
    for kind in ("full", "resumed"):
        kinds[kind] = {"our_per_second": statistics.median(of(ours, kind, "per_second")),
                       "bare_per_second": statistics.median(of(bare, kind, "per_second")),
                       "of_ceiling": ratio(of(ours, kind, "per_second"), of(bare, kind, "per_second")),
                       "our_us": min(of(ours, kind, "server_us")), "bare_us": min(of(bare, kind, "server_us"))}
    return kinds | {"resumed_of_full": ratio(of(ours, "resumed", "per_second"), of(ours, "full", "per_second"))}


def memory(service, count, rest):
    found = conns(service.url, service.process.pid, count, rest)
    mb = lambda key: found[key] / 2 ** 20
    return {"count": count, "idle_mb": mb("before_bytes"), "full_mb": mb("open_bytes"), "after_mb": mb("closed_bytes"),
            "connection_kb": found["bytes_a_connection"] / 1024}


def measure(how):
    rounds, at_once, many, rest = (1, 50, 100, "0ms") if how.smoke else (7, AT_ONCE, MANY, "3s")
    with scratch() as directory:
        with running(directory / "handshakes") as service:
            shakes = handshakes(service, rounds, at_once)
        with running(directory / "memory", MAX_CONNECTIONS=many + SPARE, IDLE_TIMEOUT=600) as service:
            time.sleep(0 if how.smoke else 3)  # what comes with the first seconds is no connection's
            return {"handshakes": shakes, "memory": memory(service, many, rest)}


def tell(r):
    rows = [("handshakes", "ours /s", "bare /s", "of the bare", "±", "our µs", "bare µs")]
    for kind in ("full", "resumed"):
        f = r["handshakes"][kind]
        rows.append((kind, figure(f["our_per_second"]), figure(f["bare_per_second"]), f"{f['of_ceiling']['median']:.2f}",
                     plus_minus(f["of_ceiling"]), figure(f["our_us"]), figure(f["bare_us"])))
    m = r["memory"]
    return (f"{table(rows)}\nresumed, in times of full: {r['handshakes']['resumed_of_full']['median']:.2f}; µs are the server's "
            f"processor time of one\nPSS idle {m['idle_mb']:.1f} MB, with {m['count']:,} idle TLS connections {m['full_mb']:.1f} MB "
            f"({m['connection_kb']:.1f} kB each), after they closed {m['after_mb']:.1f} MB")


def goals(r):
    full, resumed, m = r["handshakes"]["full"], r["handshakes"]["resumed"], r["memory"]
    return [Goal("full handshakes, part of the ceiling's", full["of_ceiling"]["median"], 0.95, at_least=True,
                 also=f"by the server's processor time {full['bare_us'] / full['our_us']:.2f}"),
            Goal("resumed handshakes, in times of full", r["handshakes"]["resumed_of_full"]["median"], 3, at_least=True,
                 also=f"by the server's processor time {full['our_us'] / resumed['our_us']:.2f}"),
            Goal("an idle TLS connection", m["connection_kb"], 15, unit=" kB"),
            Goal(f"{m['count']:,} of them", m["full_mb"] - m["idle_mb"], 160, unit=" MB"),
            Goal("memory after they close, in times of idle", m["after_mb"] / m["idle_mb"], 1.2)]
