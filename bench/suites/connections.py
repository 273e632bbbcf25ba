"""Handshakes, full and resumed, beside a bare libuv and OpenSSL server, and what idle TLS connections weigh.

doorward-bench load opens a new connection for every request, as fast as 64 at a time allow; the two servers take turns.
"""
import contextlib
import json
import resource
import socket
import statistics
import time

from common import Goal, RELEASE, ceiling, cpu_us, figure, plus_minus, pss_kb, ratio, run, running, scratch, table

AT_A_TIME = 64
SPARE = 100
PATIENCE_S = 15  # for what idle timers give back


# ---- handshakes

def opened(url, pid, seconds, directory, *options):
    """Connections a second, and the server's processor time of one with its request."""
    before, path = cpu_us(pid), directory / "load.json"
    run(RELEASE.program, "load", url, "--insecure", "--mix", "get=1", "--rate", "max", "--reconnect", 1, "--connections", AT_A_TIME,
        "--duration", f"{seconds}s", "--warmup", "0s", "--json", path, *options)
    said = json.loads(path.read_text())
    kind = said["connections"]["resumed" if "--resume" in options else "full"]
    everything = said["connections"]["full"]["count"] + said["connections"]["resumed"]["count"]
    return {"per_second": kind["count"] / said["seconds"], "server_us": (cpu_us(pid) - before) / everything}


def handshakes(service, directory, rounds, seconds):
    found = {(who, kind): [] for who in ("ours", "bare") for kind in ("full", "resumed")}
    with ceiling(service) as (url, pid):
        servers = {"bare": (url, pid), "ours": (service.url, service.process.pid)}
        for _ in range(rounds):
            for (who, kind), samples in found.items():
                samples.append(opened(*servers[who], seconds, directory, *(["--resume"] if kind == "resumed" else [])))
    of = lambda who, kind, key: [sample[key] for sample in found[who, kind]]
    kinds = {kind: {"our_per_second": statistics.median(of("ours", kind, "per_second")),
                    "bare_per_second": statistics.median(of("bare", kind, "per_second")),
                    "of_ceiling": ratio(of("ours", kind, "per_second"), of("bare", kind, "per_second")),
                    "our_us": min(of("ours", kind, "server_us")), "bare_us": min(of("bare", kind, "server_us"))}
             for kind in ("full", "resumed")}
    return kinds | {"resumed_of_full": ratio(of("ours", "resumed", "per_second"), of("ours", "full", "per_second"))}


# ---- memory

@contextlib.contextmanager
def many_files(count):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(count + SPARE, before[1])), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def hold(service, count):
    """Idle connections that have served one request each."""
    context, held = service.tls(), []
    for _ in range(count):
        secure = context.wrap_socket(socket.create_connection(("127.0.0.1", service.port)), server_hostname="localhost")
        secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        secure.recv(1000)
        held.append(secure)
    return held


def memory(service, count):
    pid = service.process.pid
    idle = pss_kb(pid)
    with many_files(count):
        held = hold(service, count)
        full = pss_kb(pid)
        for secure in held:
            secure.close()
    end = time.monotonic() + PATIENCE_S
    while (after := pss_kb(pid)) > 1.2 * idle and time.monotonic() < end:
        time.sleep(0.5)
    return {"count": count, "idle_mb": idle / 1024, "full_mb": full / 1024, "after_mb": after / 1024,
            "connection_kb": (full - idle) / count}


def measure(how):
    rounds, seconds, count = (1, 1, 100) if how.smoke else (5, 2, 10_000)
    with scratch() as directory:
        with running(directory / "handshakes") as service:
            shakes = handshakes(service, directory, rounds, seconds)
        with running(directory / "memory", MAX_CONNECTIONS=count + SPARE, IDLE_TIMEOUT=600) as service:
            time.sleep(0 if how.smoke else 3)
            return {"handshakes": shakes, "memory": memory(service, count)}


def tell(r):
    rows = [("connections, each with one request", "ours /s", "bare /s", "of the bare", "±", "our µs", "bare µs")]
    for kind in ("full", "resumed"):
        f = r["handshakes"][kind]
        rows.append((kind, figure(f["our_per_second"]), figure(f["bare_per_second"]), f"{f['of_ceiling']['median']:.2f}",
                     plus_minus(f["of_ceiling"]), figure(f["our_us"]), figure(f["bare_us"])))
    m = r["memory"]
    return (f"{table(rows)}\nresumed, in times of full: {r['handshakes']['resumed_of_full']['median']:.2f}\n"
            f"PSS idle {m['idle_mb']:.1f} MB, with {m['count']:,} idle TLS connections {m['full_mb']:.1f} MB "
            f"({m['connection_kb']:.1f} kB each), after they closed {m['after_mb']:.1f} MB")


def goals(r):
    full, m = r["handshakes"]["full"], r["memory"]
    return [Goal("full handshakes, part of the ceiling's", full["of_ceiling"]["median"], 0.95, at_least=True,
                 also=f"by the server's processor time {full['bare_us'] / full['our_us']:.2f}"),
            Goal("resumed handshakes, in times of full", r["handshakes"]["resumed_of_full"]["median"], 3, at_least=True,
                 also=f"by the server's processor time {full['our_us'] / r['handshakes']['resumed']['our_us']:.2f}"),
            Goal("an idle TLS connection", m["connection_kb"], 15, unit=" kB"),
            Goal(f"{m['count']:,} of them", m["full_mb"] - m["idle_mb"], 160, unit=" MB"),
            Goal("memory after they close, in times of idle", m["after_mb"] / m["idle_mb"], 1.2)]
