"""./dev bench token: what issuing and verifying an access token costs, in process.

Each algorithm beside OpenSSL's bare check of one signature and libjwt alone, tokens that are in the cache with 1, 1,000
and 100,000 of them, and the tokens' part of a login at bcrypt cost 12. Processor time, alternating rounds, the best of
each: noise only adds. Writes bench/results/token.json.
"""
import argparse
import json

from common import ROOT, keep, machine, machine_text, ninja, run, table

ALGORITHMS = "ES256", "EdDSA", "RS256", "PS256", "HS256"
COUNTS = 1, 1_000, 100_000
LOGIN_COST = 12


def measure(*arguments):
    """Nanoseconds of processor time, the best round of each case."""
    best = {}
    for line in run(ROOT / "build/bench/bench-token", *arguments).splitlines():
        said = json.loads(line)
        best[said["case"]] = min(best.get(said["case"], float("inf")), said["cpu_ns"] / said["count"])
    return best


def hash_ns(cost):
    """One password's, from a lower cost: each step doubles it."""
    lower = cost - 4
    said = (json.loads(line) for line in
            run(ROOT / "build/bench/bench-hash", "costs", lower, lower, 3, 1, 1).splitlines())
    return 2 ** (cost - lower) * min(1e3 * s["cpu_us"] / s["hashes"] for s in said if s["load"] == "alone")


def tell(r):
    rows = [("µs", "issue", "verify", "libjwt alone", "OpenSSL alone", "of what the signature allows")]
    for name, of in r["algorithms"].items():
        rows.append((name, *(f"{of[case] / 1e3:.1f}" for case in ("issue", "cold", "libjwt", "bare")),
                     f"{of['bare'] / of['cold']:.2f}"))
    print(machine_text(r["machine"]))
    print(table(rows))
    for count, ns in r["cached"].items():
        times = r["algorithms"]["ES256"]["cold"] / ns
        print(f"in the cache, {count} tokens: {ns:.0f} ns, {times:.0f} times as fast as ES256")
    print(f"a login's token part at cost {LOGIN_COST}: {100 * r['login_share']:.2f} %")


def main(arguments):
    options = argparse.ArgumentParser(prog="./dev bench token", description=__doc__.splitlines()[0])
    options.add_argument("--smoke", action="store_true", help="a second of each, to see that it works; keeps nothing")
    smoke = options.parse_args(arguments).smoke
    ninja("bench-token", "bench-hash")
    rounds, ms, counts = (1, 5, COUNTS[:2]) if smoke else (8, 80, COUNTS)
    results = {"machine": machine(),
               "algorithms": {name: measure("signatures", name, rounds, ms) for name in ALGORITHMS},
               "cached": {count: measure("cached", count, rounds, ms)["cached"] for count in counts}}
    issue = results["algorithms"]["ES256"]["issue"]
    results["login_share"] = issue / (issue + hash_ns(LOGIN_COST))
    if not smoke:
        keep("token.json", results)
    tell(results)
