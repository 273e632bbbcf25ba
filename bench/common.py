"""What the suites of ./dev bench share: the machine, programs to run, what they took, and how figures are told."""
import contextlib
import datetime
import glob
import json
import math
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
CORES = len(os.sched_getaffinity(0))
sys.path.append(str(ROOT / "tests" / "e2e"))  # service.py: a real process, and ways to talk to it

from service import Service, free_port, wait_until  # noqa: E402


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


# ---- programs

class Build(typing.NamedTuple):
    """A directory of meson's with the release in it."""
    directory: pathlib.Path = ROOT / "build"

    @property
    def doorward(self):
        return self.directory / "doorward"

    @property
    def program(self):
        return self.directory / "doorward-bench"

    def bench(self, *arguments, **options):
        """What `doorward-bench ... --json` says."""
        return json.loads(run(self.program, *arguments, "--json", **options))

    def helper(self, name):
        return self.directory / "bench" / name


RELEASE = Build(pathlib.Path(os.environ.get("BENCH_BUILD", ROOT / "build")))


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def ninja(*targets, build=RELEASE):
    run("ninja", "-C", build.directory, "--quiet", *targets)


@contextlib.contextmanager
def scratch():
    directory = tempfile.mkdtemp(prefix="doorward-bench-")
    try:
        yield pathlib.Path(directory)
    finally:
        shutil.rmtree(directory)


def tune(directory, build=RELEASE):
    """Measures the password kernel there, as a first start does, so that later ones find it kept."""
    for _ in range(3):  # a busy machine is not tuned to
        service = Service(directory, binary=build.doorward, patient=False, LOG_LEVEL="info").start()
        chosen = service.wait_for_event(event="password_kernel")
        service.stop()
        if chosen["source"] != "default":
            return
    say("the machine is too busy to be tuned to: figures of the first seconds hold a measurement of the kernel")


@contextlib.contextmanager
def running(directory, build=RELEASE, popen=None, **settings):
    """A service that has been started before, as a usual one has."""
    tune(directory, build)
    settings = {"LOG_LEVEL": "error", "BCRYPT_COST": 12, **settings}
    service = Service(directory, binary=build.doorward, patient=False, **settings).start(**(popen or {}))
    try:
        yield service
    finally:
        service.stop()


@contextlib.contextmanager
def ceiling(service, prefix=(), popen=None):
    """The bare server with a fixed answer, on the service's certificate: its URL and pid."""
    port, var = free_port(), service.directory / "var"
    command = [*prefix, RELEASE.helper("bench-ceiling"), port, var / "tls.crt", var / "tls.key", CORES]
    with listening(command, port, **(popen or {})) as served:
        yield served


@contextlib.contextmanager
def listening(command, port, **popen):
    """A server in a session of its own, once it listens: its URL and pid."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, start_new_session=True, **popen)
    try:
        look = ["ss", "-ltn", f"sport = :{port}"]
        wait_until(lambda: process.poll() is not None or b"LISTEN" in subprocess.run(look, capture_output=True).stdout,
                   f"{command[0]} listening")
        if process.poll() is not None:
            sys.exit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}")
        yield f"https://127.0.0.1:{port}", process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


# ---- what a process takes

def family(pid):
    """A process and its children: node's servers are many."""
    return [pid, *(int(child) for f in glob.glob(f"/proc/{pid}/task/*/children") for child in pathlib.Path(f).read_text().split())]


def cpu_us(pid):
    """Processor time of all threads of a process and its children, so far."""
    files = [file for each in family(pid) for file in glob.glob(f"/proc/{each}/task/*/schedstat")]
    return sum(int(pathlib.Path(f).read_text().split()[0]) for f in files) / 1e3


def pss_kb(pid):
    """Proportional memory of a process and its children."""
    pss = lambda each: int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{each}/smaps_rollup").read_text(), re.M)[1])
    return sum(map(pss, family(pid)))


# ---- what others are written with

PEERS = ROOT / "build-bench" / "peers"  # bench/peers/setup builds them


def pinned(path, pattern):
    """A version that a file of bench/ names."""
    return re.search(pattern, (ROOT / "bench" / path).read_text(), re.M)[1]


# ---- figures

def median_interval(values, confidence=0.95):
    """The median, and an interval that holds the true one so often: by signs, so whatever the distribution. The least
    and the most where there are too few values."""
    ordered, count = sorted(values), len(values)
    outside, below = 0, 1.0
    while 2 * below <= (1 - confidence) * 2 ** count:
        outside += 1
        below += math.comb(count, outside)
    outside = max(outside - 1, 0)
    return {"median": statistics.median(ordered), "low": ordered[outside], "high": ordered[-1 - outside]}


def ratio(ours, others, confidence=0.95):
    """Ours by theirs, within each round."""
    return median_interval([a / b for a, b in zip(ours, others)], confidence)


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def plus_minus(entry):
    return f"{50 * (entry['high'] - entry['low']) / entry['median']:.0f} %"


def table(rows):
    """Rows of texts, the columns under each other: the first to the left, of more than two the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(text.rjust(width) if 0 < i and len(row) > 2 else text.ljust(width)
                               for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


class Goal(typing.NamedTuple):
    """One line of what is to be reached: `value` at most (or at least) `bound`."""
    what: str
    value: float
    bound: float
    at_least: bool = False
    unit: str = ""
    also: str = ""  # what else there is to say of it

    @property
    def reached(self):
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def row(self):
        sign = "≥" if self.at_least else "≤"
        return (self.what, f"{sign} {self.bound:g}{self.unit}", f"{figure(self.value)}{self.unit}",
                "reached" if self.reached else "NOT REACHED", self.also)


GOAL_HEAD = ("to reach", "", "measured", "", "")


# ---- this machine, this version

def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return {"cpu": model, "cores": CORES, "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
            "openssl": run("openssl", "version").split()[1], "commit": commit(),
            "date": datetime.date.today().isoformat(), "load_before": os.getloadavg()[0]}


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--tags"], capture_output=True, text=True)
    return done.stdout.strip() or "?"  # a release's sources have no history


def machine_text(about):
    return f"{about['cpu']}, {about['cores']} cores, {about['system']}, OpenSSL {about['openssl']}; {about['commit']}"
