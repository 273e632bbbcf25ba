"""./dev bench hash: bcrypt hashes a second, by cost and by lanes, beside libxcrypt and other libraries.

Every figure is the median of rounds in which the engine and libxcrypt take turns in one process (bench/hash.c), of the
CPU time that it took: another program on the machine disturbs little. Threads are not pinned, as in the service.
Writes bench/results/hash.json and hash.svg.
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

from common import RESULTS, ROOT, keep, machine, machine_text, ninja, run, table

COSTS = range(8, 15)
DEAR = 12  # from here on a hash is long enough to average by itself
EXTRAPOLATED = 31
# What the README of node's bcrypt says of "a 2GHz core", and has been quoted ever since: hashes a second.
PUBLISHED = {8: 40, 9: 20, 10: 10, 11: 5, 12: 2.5, 13: 1, 14: 1 / 1.5, 31: 1 / (2.5 * 86400)}
PEERS = ROOT / "build-bench" / "peers"
PEER_COST = 10
DAY_S = 86400


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


# ---- measuring

def samples(*arguments):
    """Lines of bench-hash, each with its hashes a second of one core."""
    found = [json.loads(line) for line in run(ROOT / "build/bench/bench-hash", *arguments).splitlines()]
    for sample in found:
        sample["rate"] = sample["hashes"] * 1e6 / sample["cpu_us"]
        sample["ours"] = sample["cpu_us"] / (sample["elapsed_us"] * (1 if sample["load"] == "alone" else sample["threads"]))
    return found


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "rounds": len(values)}


def by_cost(costs, rounds, least_ms, threads):
    """Cost -> alone, full, libxcrypt: rates of a core with `threads` at work; and the ratio, within each round."""
    cheap = [cost for cost in costs if cost < DEAR]
    found = samples("costs", cheap[0], cheap[-1], rounds + 2, least_ms, threads)
    if costs[-1] >= DEAR:
        found += samples("costs", DEAR, costs[-1], rounds, least_ms, threads)
    result = {}
    for cost in costs:
        rates = {load: [s["rate"] for s in found if s["cost"] == cost and s["load"] == load]
                 for load in ("alone", "full", "libxcrypt")}
        result[cost] = {load: spread(values) for load, values in rates.items()}
        result[cost]["ratio"] = spread([a / b for a, b in zip(rates["full"], rates["libxcrypt"])])
        result[cost]["alone_ratio"] = spread([a / b for a, b in zip(rates["alone"], rates["libxcrypt"])])
    full = next(s for s in found if s["load"] == "full")
    return {"kernel": full["kernel"], "lanes": full["lanes"], "threads": threads, "costs": result,
            "share_of_the_machine": statistics.median(s["ours"] for s in found)}


def by_lanes(cost, rounds, least_ms, threads):
    """Kernel -> lanes -> times libxcrypt's rate, within each round."""
    found = samples("lanes", cost, cost, rounds, least_ms, threads)
    library = {r: statistics.median(s["rate"] for s in found if s["load"] == "libxcrypt" and s["round"] == r)
               for r in range(rounds)}
    ratios = collections.defaultdict(lambda: collections.defaultdict(list))
    for s in found:
        if s["load"] == "full":
            ratios[s["kernel"]][s["lanes"]].append(s["rate"] / library[s["round"]])
    return {kernel: {lanes: spread(values) for lanes, values in sorted(row.items())} for kernel, row in ratios.items()}


# ---- other libraries

def pinned(path, pattern):
    return re.search(pattern, (ROOT / "bench" / path).read_text(), re.M)[1]


def peers():
    """Name -> the command that takes COST and COUNT, of those that are there."""
    listed = {
        f"python-bcrypt {pinned('requirements.txt', r'^bcrypt==(.*)')} (Rust)":
            ([sys.executable, ROOT / "bench/peers/hash.py"], ROOT / "build-bench/requirements.txt"),
        f"node bcrypt {pinned('peers/node/package.json', r'bcrypt.: .([0-9.]+)')} (OpenBSD's C)":
            (["node", PEERS / "node/hash.js"], PEERS / "node.stamp"),
        f"Go x/crypto {pinned('peers/go/go.mod', r'x/crypto v(.*)')}": ([PEERS / "go"], PEERS / "go.stamp"),
        f"Rust bcrypt {pinned('peers/rust/Cargo.toml', r'bcrypt = .=([0-9.]+)')}": ([PEERS / "rust"], PEERS / "rust.stamp"),
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
        for sample in samples("costs", PEER_COST, PEER_COST, 1, 1000, 1):
            rates[{"full": "Doorward", "alone": "Doorward, one at a time"}.get(sample["load"], "libxcrypt")].append(sample["rate"])
        for name, command in commands.items():
            rates[name].append(count / (cpu_seconds(command, PEER_COST, count) - cpu_seconds(command, PEER_COST, 0)))
    return {name: {**spread(values), "doorward_is": statistics.median(a / b for a, b in zip(rates["Doorward"], values))}
            for name, values in rates.items()}


# ---- telling

def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def within(entry):
    return f"{50 * (entry['most'] - entry['least']) / entry['median']:.0f} %"


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
        rows.append((str(cost), figure(1e3 / a["alone"]["median"]), figure(a["full"]["median"]), within(a["full"]),
                     figure(one[first]["full"]["median"] / 2 ** (cost - first)), figure(a["libxcrypt"]["median"]),
                     within(a["libxcrypt"]), f"{a['ratio']['median']:.2f}", figure(cores * b["full"]["median"]),
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
        rows.append((str(lanes), *(f"{c['median']:.2f} ±{within(c)}" if c else "-" for c in cells)))
    return rows


def peer_rows(r):
    rows = [(f"cost {PEER_COST}, one core", "hashes/s", "±", "Doorward is")]
    for name, entry in r["peers"].items():
        rows.append((name, figure(entry["median"]), within(entry), f"{entry['doorward_is']:.2f} x"))
    return rows


def tell(r):
    print(machine_text(r["machine"]))
    print(f"kernel {r['all_cores']['kernel']}, {r['all_cores']['lanes']} lanes (one core: {r['one_core']['kernel']},"
          f" {r['one_core']['lanes']}); threads not pinned; the cores were ours for"
          f" {100 * r['all_cores']['share_of_the_machine']:.0f} % of the time\n")
    print("bcrypt rounds against hashes a second (of CPU time); ~ computed by halving; published: the README of node's bcrypt")
    print(table(cost_rows(r)))
    print(f"\ntimes libxcrypt's rate, by kernel and lanes, cost {r['lanes']['cost']}")
    print(table(lane_rows(r)))
    if "peers" in r:
        print("\nbeside other libraries, in alternating rounds")
        print(table(peer_rows(r)))


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
        error = [[m - row[n]["least"] for m, n in zip(middle, lanes)], [row[n]["most"] - m for m, n in zip(middle, lanes)]]
        axes.errorbar(lanes, middle, error, fmt="o-", color=f"C{number}", label=kernel, linewidth=1, markersize=4)
    axes.axhline(1, color="black", linewidth=1, linestyle="--", label="libxcrypt")
    axes.set_xlabel("lanes on each core, all cores at work")
    axes.set_ylabel("times libxcrypt's rate")
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    axes.legend()


def draw(r, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "doorward", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot
    drawn, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    drawn.suptitle(machine_text(r["machine"]))
    draw_costs(left, r)
    draw_lanes(right, r)
    drawn.savefig(path, metadata={"Date": None})


# ---- a run

def measure(costs, rounds, least_ms, cores):
    results = {"machine": machine()}
    for name, threads in (("one_core", 1), ("all_cores", cores)):
        say(f"costs {costs[0]} to {costs[-1]}, threads: {threads}")
        results[name] = by_cost(costs, rounds, least_ms, threads)
    results["lanes"] = {"cost": costs[0]}
    for name, threads in (("one_core", 1), ("all_cores", cores)):
        say(f"kernels and lanes, threads: {threads}")
        results["lanes"][name] = by_lanes(costs[0], rounds + 2, least_ms // 2 + 1, threads)
    down = 2.0 ** (costs[-1] - EXTRAPOLATED)
    last, every = results["one_core"]["costs"][costs[-1]], results["all_cores"]["costs"][costs[-1]]
    results["extrapolated"] = {
        "cost": EXTRAPOLATED, "one_core": last["full"]["median"] * down, "libxcrypt": last["libxcrypt"]["median"] * down,
        "all_cores": cores * every["full"]["median"] * down, "alone_s": 1 / (last["alone"]["median"] * down)}
    return results


def main(arguments):
    options = argparse.ArgumentParser(prog="./dev bench hash", description=__doc__.splitlines()[0])
    options.add_argument("--smoke", action="store_true", help="a second or two, to see that it works; keeps nothing")
    options.add_argument("--peers", action="store_true", help="beside python-bcrypt, node's bcrypt, Go and Rust as well")
    chosen = options.parse_args(arguments)
    ninja("bench-hash")
    cores = len(os.sched_getaffinity(0))
    results = measure(range(4, 6), 1, 1, cores) if chosen.smoke else measure(COSTS, 3, 120, cores)
    if chosen.peers:
        say(f"other libraries, cost {PEER_COST}")
        results["peers"] = beside_peers(3, 16)
    if not chosen.smoke:
        keep("hash.json", results)
        draw(results, RESULTS / "hash.svg")
    tell(results)
