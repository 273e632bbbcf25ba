"""What a refresh costs through the store: on SQLite beside raw SQLite, on MongoDB beside a bare libmongoc loop.

The server is that of the tests (tests/mongo/setup; MONGO_SERVER names another). Bare is the same write and the same read of
records of the same shape, by turns on the same server; so the server's own speed is in both.
"""
import json
import os
import pathlib
import statistics
import sys
import time

from common import RELEASE, ROOT, Goal, Service, figure, ninja, plus_minus, pss_kb, ratio, run, scratch, table, tune

sys.path.append(str(ROOT / "tests" / "mongo"))
import servers  # noqa: E402
from service import random_master_key  # noqa: E402

THREADS = 1, 16
SETTLE_S = 3


def rates(uri, threads, rounds, ms):
    said = [json.loads(line) for line in run(RELEASE.helper("bench-mongo"), uri, threads, rounds, ms).splitlines()]
    sides = {name: [row for row in said if row.get("side") == name] for name in ("ours", "bare")}
    a_second = {name: [1e6 * row["count"] / row["elapsed_us"] for row in rows] for name, rows in sides.items()}
    cpu_us = {name: [row["cpu_us"] / row["count"] for row in rows] for name, rows in sides.items()}
    return {"a_second": {name: statistics.median(values) for name, values in a_second.items()},
            "ratio": ratio(a_second["ours"], a_second["bare"]),
            "cpu_us": {name: statistics.median(values) for name, values in cpu_us.items()}}


def weight(directory, **settings):
    """An idle service: proportional memory, threads, milliseconds to the listening line."""
    tune(directory)
    service = Service(directory, binary=RELEASE.doorward, patient=False, LOG_LEVEL="info", **settings).start()
    try:
        time.sleep(SETTLE_S)
        started = next(event for event in service.events if event["event"] == "listening")["start_ms"]
        return {"mb": pss_kb(service.process.pid) / 1024, "start_ms": started,
                "threads": len(os.listdir(f"/proc/{service.process.pid}/task"))}
    finally:
        service.stop()


def measure(how):
    rounds, ms = (2, 100) if how.smoke else (9, 1500)
    results = {"sqlite": RELEASE.bench("store", *(["--rounds", 2, "--ms", 1] if how.smoke else []))}
    kind = servers.find()
    if kind is None:
        return results
    ninja("bench/bench-mongo", "doorward", "src/store/doorward-store-mongo.so")
    with scratch() as directory, servers.running(kind) as server:
        database = f"bench_{os.getpid()}"
        results["server"] = kind.name
        results["mongo"] = {threads: rates(server.uri(database), threads, rounds, ms) for threads in THREADS}
        mongo = {"DB_URI": server.uri(database), "MASTER_KEY": random_master_key()}
        results["weight"] = {"SQLite": weight(pathlib.Path(directory) / "sqlite"),
                             "MongoDB": weight(pathlib.Path(directory) / "mongo", **mongo)}
        with server.client() as client:
            client.drop_database(database)
    return results


def tell(r):
    rows = [("a second, on SQLite", "Doorward", "raw SQLite")]
    rows += [(case["case"], *(figure(1e9 / side["elapsed_ns"]["median"]) for side in case["sides"]))
             for case in r["sqlite"]["cases"] if "refresh" in case["case"]]
    parts = [table(rows)]
    if "mongo" in r:
        rows = [(f"refreshes a second, on {r['server']}", "Doorward", "bare libmongoc", "of it", "", "CPU µs", "bare")]
        rows += [(f"{threads} at once", figure(of["a_second"]["ours"]), figure(of["a_second"]["bare"]),
                  figure(of["ratio"]["median"]), f"± {plus_minus(of['ratio'])}", figure(of["cpu_us"]["ours"]),
                  figure(of["cpu_us"]["bare"])) for threads, of in r["mongo"].items()]
        parts.append(table(rows))
        rows = [("idle", "MB (PSS)", "threads", "start, ms")]
        rows += [(name, figure(of["mb"]), str(of["threads"]), figure(of["start_ms"])) for name, of in r["weight"].items()]
        parts.append(table(rows))
    return "\n".join(parts)


def goals(r):
    if "mongo" not in r:
        return []
    most = max(THREADS)
    return [Goal(f"refreshes, {most} at once, of a bare loop's", r["mongo"][most]["ratio"]["median"], 0.85, at_least=True),
            Goal("idle with MongoDB (PSS)", r["weight"]["MongoDB"]["mb"], 25, unit=" MB")]
