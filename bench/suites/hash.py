"""bcrypt hashes a second, by cost and by lanes, beside libxcrypt, other libraries and the published rule of halving.

Every figure is the median of rounds in which the engine and libxcrypt take turns in one process (doorward-bench hash), of
the CPU time that it took: another program on the machine disturbs little. Threads are not pinned, as in the service.
"""
import collections
import re
import statistics
import subprocess
import sys
import os

from common import CORES, PEERS, RELEASE, ROOT, figure, median_interval, pinned, plus_minus, say, table

COSTS = range(8, 14)
ALONE = "Doorward, one at a time"
EXTRAPOLATED = 31
# What the README of node's bcrypt says of "a 2GHz core", and has been quoted ever since: hashes a second.
PUBLISHED = {8: 40, 9: 20, 10: 10, 11: 5, 12: 2.5, 13: 1, 31: 1 / (2.5 * 86400)}
PEER_COST = 10
DAY_S = 86400


# ---- measuring

def rate(side):
    """Hashes a second of one core; the spread of the times is theirs."""
    ns = side["cpu_ns"]
    return {"median": 1e9 / ns["median"], "low": 1e9 / ns["high"], "high": 1e9 / ns["low"]}


def shares(report):
    for case in report["cases"]:
        for side in case["sides"]:
            threads = 1 if side["name"] == ALONE else report["threads"]
            yield side["cpu_ns"]["median"] / (side["elapsed_ns"]["median"] * threads)


def by_cost(costs, rounds, least_ms, threads):
    """Cost -> alone, full, libxcrypt: rates of a core with `threads` at work; and the ratio, within each round."""
    report = RELEASE.bench("hash", "--cost", costs[0], "--to", costs[-1], "--rounds", rounds, "--ms", least_ms,
                           "--threads", threads)
    found = {}
    for cost, case in zip(costs, report["cases"]):
        full, alone, library = case["sides"]
        found[cost] = {"full": rate(full), "alone": rate(alone), "libxcrypt": rate(library), "ratio": library["ours_is"]}
    return {"kernel": report["kernel"], "lanes": report["lanes"], "threads": threads, "costs": found,
            "share_of_the_machine": statistics.median(shares(report))}


def by_lanes(cost, rounds, least_ms, threads):
    """Kernel -> lanes -> times libxcrypt's rate, within each round."""
    report = RELEASE.bench("hash", "--kernels", "--cost", cost, "--rounds", rounds, "--ms", least_ms, "--threads", threads)
    found = collections.defaultdict(dict)
    for case in report["cases"]:
        kernel, lanes = re.fullmatch(r"(.*), (\d+) lanes", case["case"]).groups()
        found[kernel][int(lanes)] = case["sides"][1]["ours_is"]
    return dict(found)


# ---- other libraries

def peers():
    """Name -> the command that takes COST and COUNT, of those that are there."""
    listed = {
        f"python-bcrypt {pinned('requirements.txt', r'^bcrypt==(.*)')} (Rust)":
            ([sys.executable, ROOT / "bench/peers/hash.py"], ROOT / "build-bench/requirements.txt"),
        f"node bcrypt {pinned('peers/node/package.json', r'bcrypt.: .([0-9.]+)')} (OpenBSD's C)":
            (["node", PEERS / "node/hash.js"], PEERS / "node.stamp"),
        f"Go x/crypto {pinned('peers/go/go.mod', r'x/crypto v(.*)')}": ([PEERS / "go/hash"], PEERS / "go.stamp"),
        f"Rust bcrypt {pinned('peers/rust/Cargo.toml', r'bcrypt = .=([0-9.]+)')}": ([PEERS / "rust/hash"], PEERS / "rust.stamp"),
    }
    for name, (_, sign) in listed.items():
        if not sign.exists():
            say(f"{name}: is not there, left out")
    return {name: command for name, (command, sign) in listed.items() if sign.exists()}


def cpu_seconds(command, *arguments):
    process = subprocess.Popen([str(word) for word in (*command, *arguments)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {command} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def beside_peers(rounds, count):
    """Hashes a second of one core at PEER_COST; each peer's start, measured without hashes, is not counted."""
    commands = peers()
    rates = collections.defaultdict(list)
    for _ in range(rounds):
        for side in RELEASE.bench("hash", "--cost", PEER_COST, "--rounds", 1, "--ms", 1000)["cases"][0]["sides"]:
            rates[side["name"]].append(rate(side)["median"])
        for name, command in commands.items():
            rates[name].append(count / (cpu_seconds(command, PEER_COST, count) - cpu_seconds(command, PEER_COST, 0)))
    return {name: {**median_interval(values), "doorward_is": statistics.median(a / b for a, b in zip(rates["Doorward"], values))}
            for name, values in rates.items()}


# ---- telling

def per_second(rate):
    return figure(rate) if rate > 0.01 else f"1 in {1 / rate / DAY_S:.1f} days"


def cost_rows(r):
    one, every = r["one_core"]["costs"], r["all_cores"]["costs"]
    cores = r["all_cores"]["threads"]
    first = min(one)
    rows = [("cost", "ms alone", "Doorward", "±", "by halving", "libxcrypt", "±", "ratio", f"{cores} cores", "libxcrypt",
             "ratio", "published")]
    for cost in sorted(one):
        a, b = one[cost], every[cost]
        rows.append((str(cost), figure(1e3 / a["alone"]["median"]), figure(a["full"]["median"]), plus_minus(a["full"]),
                     figure(one[first]["full"]["median"] / 2 ** (cost - first)), figure(a["libxcrypt"]["median"]),
                     plus_minus(a["libxcrypt"]), f"{a['ratio']['median']:.2f}", figure(cores * b["full"]["median"]),
                     figure(cores * b["libxcrypt"]["median"]), f"{b['ratio']['median']:.2f}",
                     per_second(PUBLISHED[cost]) if cost in PUBLISHED else "-"))
    e = r["extrapolated"]
    rows.append((f"{e['cost']}~", f"{e['alone_s'] / DAY_S:.1f} days", per_second(e["one_core"]), "", "", per_second(e["libxcrypt"]),
                 "", "", per_second(e["all_cores"]), "", "", per_second(PUBLISHED[31])))
    return rows


def lane_rows(r):
    one, every = r["lanes"]["one_core"], r["lanes"]["all_cores"]
    most = max(max(row) for row in one.values())
    rows = [("lanes", *(f"{kernel}, {where}" for kernel in one for where in ("1 core", "all")))]
    for lanes in range(1, most + 1):
        cells = [sweep[kernel].get(lanes) for kernel in one for sweep in (one, every)]
        rows.append((str(lanes), *(f"{c['median']:.2f} ±{plus_minus(c)}" if c else "-" for c in cells)))
    return rows


def peer_rows(r):
    rows = [(f"cost {PEER_COST}, one core", "hashes/s", "±", "Doorward is")]
    for name, entry in r["peers"].items():
        rows.append((name, figure(entry["median"]), plus_minus(entry), f"{entry['doorward_is']:.2f} x"))
    return rows


def tell(r):
    every = r["all_cores"]
    parts = [f"kernel {every['kernel']}, {every['lanes']} lanes (one core: {r['one_core']['kernel']}, {r['one_core']['lanes']}); "
             f"threads not pinned; the cores were ours for {100 * every['share_of_the_machine']:.0f} % of the time",
             "bcrypt rounds against hashes a second (of CPU time); ~ computed by halving; published: the README of node's bcrypt",
             table(cost_rows(r)), f"times libxcrypt's rate, by kernel and lanes, cost {r['lanes']['cost']}", table(lane_rows(r))]
    if "peers" in r:
        parts += ["beside other libraries, in alternating rounds", table(peer_rows(r))]
    return "\n".join(parts)


def draw_costs(axes, r):
    one, every = r["one_core"]["costs"], r["all_cores"]["costs"]
    cores, costs = r["all_cores"]["threads"], sorted(one)
    first = one[costs[0]]["full"]["median"]
    lines = [(f"Doorward, {cores} cores", [cores * every[c]["full"]["median"] for c in costs], "C0", "o-"),
             ("Doorward, one core", [one[c]["full"]["median"] for c in costs], "C1", "o-"),
             ("libxcrypt, one core", [one[c]["libxcrypt"]["median"] for c in costs], "C2", "o-"),
             ("published: node's bcrypt", [PUBLISHED[c] for c in costs], "C7", "s:"),
             ("halving", [first / 2 ** (c - costs[0]) for c in costs], "black", "--")]
    for name, values, colour, style in lines:
        axes.plot(costs, values, style, color=colour, label=name, linewidth=1, markersize=4)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("bcrypt cost (rounds, as a power of two)")
    axes.set_ylabel("hashes a second")
    axes.grid(True, alpha=0.3)
    axes.legend()


def draw_lanes(axes, r):
    for number, (kernel, row) in enumerate(r["lanes"]["all_cores"].items()):
        lanes = sorted(row)
        middle = [row[n]["median"] for n in lanes]
        error = [[m - row[n]["low"] for m, n in zip(middle, lanes)], [row[n]["high"] - m for m, n in zip(middle, lanes)]]
        axes.errorbar(lanes, middle, error, fmt="o-", color=f"C{number}", label=kernel, linewidth=1, markersize=4)
    axes.axhline(1, color="black", linewidth=1, linestyle="--", label="libxcrypt")
    axes.set_xlabel("lanes on each core, all cores at work")
    axes.set_ylabel("times libxcrypt's rate")
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    axes.legend()


def draw(r, pyplot):
    drawn, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    draw_costs(left, r)
    draw_lanes(right, r)
    return drawn


# ---- a run

def extrapolated(results, costs):
    down = 2.0 ** (costs[-1] - EXTRAPOLATED)
    last, every = results["one_core"]["costs"][costs[-1]], results["all_cores"]["costs"][costs[-1]]
    return {"cost": EXTRAPOLATED, "one_core": last["full"]["median"] * down, "libxcrypt": last["libxcrypt"]["median"] * down,
            "all_cores": CORES * every["full"]["median"] * down, "alone_s": 1 / (last["alone"]["median"] * down)}


def measure(how):
    costs, rounds, least_ms = (range(8, 10), 1, 1) if how.smoke else (COSTS, 3, 120)
    results = {"lanes": {"cost": costs[0]}}
    for name, threads in (("one_core", 1), ("all_cores", CORES)):
        say(f"costs and lanes, threads: {threads}")
        results[name] = by_cost(costs, rounds, least_ms, threads)
        results["lanes"][name] = by_lanes(costs[0], rounds + 2, least_ms // 2 + 1, threads)
    if how.peers:
        say(f"other libraries, cost {PEER_COST}")
        results["peers"] = beside_peers(3, 16)
    return results | {"extrapolated": extrapolated(results, costs)}
