"""What the suites of ./dev bench share: the machine, building, load, keeping results."""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
sys.path.append(str(ROOT / "tests" / "e2e"))  # service.py: a real process, and ways to talk to it


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def ninja(*targets):
    """Builds programs of bench/meson.build beside the release."""
    run("ninja", "-C", ROOT / "build", "--quiet", *targets)


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?")}


def machine_text(about):
    return f"{about['cpu']}, {about['cores']} cores, {about['system']}"


def wrk(url, seconds, connections, headers=(), script=None):
    """Requests a second, the 99th percentile in ms, and answers that were not 2xx or 3xx."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    for name, value in dict(headers).items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", script]
    said = run(*command, url)
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    amount, of = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return {"per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), "p99_ms": float(amount) * unit[of],
            "refused": int(refused[1]) if refused else 0}


def keep(name, results):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(results, indent=2) + "\n")


def table(rows):
    """Rows of texts, the columns under each other: the first to the left, of more than two the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(text.rjust(width) if 0 < i and len(row) > 2 else text.ljust(width)
                               for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in rows)
