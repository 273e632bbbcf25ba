"""The hot paths alone, in process, each beside a reference in alternating rounds: tokens, requests, JSON, the store."""
from common import RELEASE, table

COMMANDS = "token", "http-parse", "json", "store"


def measure(how):
    short = ("--rounds", 1, "--ms", 1) if how.smoke else ()
    return {"commands": [RELEASE.bench(command, *short) for command in COMMANDS]}


def time_text(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def rows(report):
    for case in report["cases"]:
        for side in case["sides"]:
            ours_is = side.get("ours_is")
            times = f"{ours_is['median']:.2f} ({ours_is['low']:.2f} to {ours_is['high']:.2f})" if ours_is else ""
            yield (f"{report['command']}: {case['case']}" if not ours_is else "", side["name"], time_text(side["cpu_ns"]["median"]),
                   time_text(side["elapsed_ns"]["median"]), f"{side['allocations']:.3g}", times)


def tell(r):
    head = ("one", "", "processor", "elapsed", "allocations", "times as fast")
    return table([head, *(row for report in r["commands"] for row in rows(report))])


def draw(r, pyplot):
    """How many times as fast as each reference."""
    bars = [(f"{case['case']}, {side['name']}", side["ours_is"]) for report in r["commands"] for case in report["cases"]
            for side in case["sides"] if "ours_is" in side]
    drawn, axes = pyplot.subplots(figsize=(9, 0.28 * len(bars) + 1), layout="constrained")
    values = [of["median"] for _, of in bars]
    error = [[of["median"] - of["low"] for _, of in bars], [of["high"] - of["median"] for _, of in bars]]
    axes.barh([name for name, _ in bars], values, xerr=error, color="C0", height=0.6)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("Doorward is so many times as fast, by processor time")
    return drawn
