"""./dev bench --against REF [PATH...]: this tree and another commit in alternating rounds, and what changed beyond the noise.

In process each round is a new process of each build's doorward-bench; /verify and refreshes are requests to a service of each
build, of which one is asked at a time. Compared is processor time, within each round. A change counts when the interval that
holds the true ratio 99 times of 100 leaves 1 out, and it is more than where code lies in memory can do.
"""
import contextlib
import json
import shutil
import statistics
import subprocess
import sys

from common import RELEASE, RESULTS, ROOT, Build, machine, machine_text, ninja, ratio, run, running, say, scratch, table
from suites.paths import time_text

CONFIDENCE = 0.99
LEAST_ROUNDS = 8  # of fewer the least and the most hold the true ratio less often
LEAST_CHANGE = 0.02  # what a link in another order does to a loop
IN_PROCESS = {"hash": ("--cost", 6, "--ms", 50), "token": ("--ms", 20), "http-parse": ("--ms", 20), "json": ("--ms", 20),
              "store": ("--ms", 50)}
PATHS = *IN_PROCESS, "verify", "refresh"
WORKTREES = ROOT / "build-bench" / "against"


class Unusable(Exception):
    """One line that says why REF cannot be compared with."""


def add_options(options):
    options.add_argument("--rounds", type=int, default=12, help="of --against")


# ---- the other build

def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *map(str, arguments)], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def resolve(ref):
    """The commit that is meant, when there is something in it to run."""
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if not commit:
        raise Unusable(f"{ref} is no commit of this repository")
    if git("cat-file", "-e", f"{commit}:bench/measure.c") is None:
        raise Unusable(f"{ref} ({commit[:10]}) has no doorward-bench that measures in process; choose a later one")
    return commit


def checked_out(commit):
    """Its sources, in a work tree of their own, with the wraps that are unpacked here."""
    tree = WORKTREES / commit[:10]
    if not tree.exists():
        git("worktree", "prune")
        if git("worktree", "add", "--detach", tree, commit) is None:
            raise Unusable(f"git cannot check out {commit[:10]} into {tree.relative_to(ROOT)}")
    for found in (ROOT / "subprojects").iterdir():
        there = tree / "subprojects" / found.name
        if found.is_dir() and not there.exists():
            shutil.copytree(found, there)
    return tree


def built(ref):
    commit = resolve(ref)
    tree = checked_out(commit)
    say(f"building {commit[:10]} in {tree.relative_to(ROOT)}")
    for command in (["meson", "setup", "build", "--wrap-mode=nodownload", "--buildtype=release", "-Db_lto=true",
                     "-Dtests=disabled"], ["ninja", "-C", "build", "--quiet", "doorward", "doorward-bench"]):
        if command[0] == "meson" and (tree / "build/build.ninja").exists():
            continue
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unusable(f"{commit[:10]} does not build: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    return Build(tree / "build")


# ---- rounds

def in_turn(builds, rounds, once):
    """once(build) -> {name: value}, of all builds in each round, in turning order; gives {name: a list for each build}."""
    found = [[] for _ in builds]
    for number in range(rounds):
        order = range(len(builds))
        for i in order if number % 2 == 0 else reversed(order):
            found[i].append(once(builds[i]))
    common = [name for name in found[0][0] if all(name in one[0] for one in found)]
    return {name: [[values[name] for values in one] for one in found] for name in common}


def in_process(command):
    def once(build):
        report = build.bench(command, "--rounds", 1, *IN_PROCESS[command])
        return {f"{command}: {case['case']}": case["sides"][0]["cpu_ns"]["median"] for case in report["cases"]}
    return once


def of_services(path, builds, rounds, seconds):
    """Processor time of the server for a request."""
    from suites import verify
    with scratch() as directory, contextlib.ExitStack() as stack:
        services = {build: stack.enter_context(running(directory / str(i), build, BCRYPT_COST=4))
                    for i, build in enumerate(builds)}
        client = {"verify": verify.VerifyClient, "refresh": verify.RefreshClient}[path](directory)
        once = lambda build: {path: 1e3 * client.load(services[build], seconds)["server_us"]}
        return in_turn(builds, rounds, once)


def measured(path, builds, how):
    say(path)
    rounds, seconds = (1, 0.5) if how.smoke else (how.rounds, 1)
    if path in IN_PROCESS:
        return in_turn(builds, rounds, in_process(path))
    return of_services(path, builds, rounds, seconds)


# ---- the verdict

def judge(before, now):
    change = ratio(now, before, CONFIDENCE)
    beyond = (change["low"] > 1 or change["high"] < 1) and abs(change["median"] - 1) >= LEAST_CHANGE
    word = ("slower" if change["median"] > 1 else "faster") if beyond else "no change beyond noise"
    word = word if len(now) >= LEAST_ROUNDS else "too few rounds to tell"
    return {"before": before, "now": now, "change": change, "verdict": word}


def tell(ref, results):
    rows = [("one", ref, "now", "change", "99 of 100 within", "")]
    for name, r in results.items():
        percent = {key: f"{100 * (value - 1):+.1f} %" for key, value in r["change"].items()}
        rows.append((name, time_text(statistics.median(r["before"])), time_text(statistics.median(r["now"])), percent["median"],
                     f"{percent['low']} to {percent['high']}", r["verdict"]))
    return table(rows)


def main(how):
    paths = how.suites or PATHS
    try:
        other = built(how.against)
    except Unusable as why:
        print(f"bench: {why}", file=sys.stderr)
        return 2
    ninja("doorward", "doorward-bench")
    about = machine()
    results = {name: judge(*values) for path in paths for name, values in measured(path, (other, RELEASE), how).items()}
    if not how.smoke:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "against.json").write_text(json.dumps({"machine": about, "against": how.against, "paths": results}, indent=1) + "\n")
    print(machine_text(about))
    print(tell(how.against, results))
    return 0
