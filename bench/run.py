#!/usr/bin/env python3
"""Measures this machine: ./dev bench runs all suites, ./dev bench SUITE... some. Writes bench/results/.

A suite is a file of bench/suites:
  measure(how) -> results   how.smoke: as short as can be, to see that it works
  tell(results) -> text     for a terminal, and for BASELINE.md
  goals(results) -> [Goal]  what of the project's targets it tells of; may be left out
  draw(results, pyplot)     gives a figure; may be left out
"""
import argparse
import importlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import against  # noqa: E402
from common import GOAL_HEAD, RESULTS, ROOT, machine, machine_text, ninja, say, table  # noqa: E402

SUITES = "start", "connections", "verify", "flood", "paths", "hash"
BY_NAME = "store", "peers"  # want a MongoDB server, and other languages' tools
BASELINE = ROOT / "bench" / "BASELINE.md"


class Report:
    def __init__(self):
        self.machine, self.results, self.modules = machine(), {}, {}

    def add(self, name, how):
        # In a package, since names of suites may be the standard library's as well.
        self.modules[name] = importlib.import_module(f"suites.{name}")
        say(f"{name}: {self.modules[name].__doc__.splitlines()[0]}")
        began = time.monotonic()
        self.results[name] = self.modules[name].measure(how)
        say(f"{name}: {time.monotonic() - began:.0f} s")

    @property
    def goals(self):
        return [goal for name, module in self.modules.items() if hasattr(module, "goals")
                for goal in module.goals(self.results[name])]

    def goals_text(self):
        return table([GOAL_HEAD, *(goal.row() for goal in self.goals)]) if self.goals else ""

    def texts(self):
        for name, module in self.modules.items():
            yield name, module.__doc__.splitlines()[0], module.tell(self.results[name])

    def __str__(self):
        parts = [machine_text(self.machine), *(f"{title}\n{text}" for _, title, text in self.texts()), self.goals_text()]
        return "\n\n".join(part for part in parts if part)

    def keep(self):
        RESULTS.mkdir(exist_ok=True)
        for name, found in self.results.items():
            (RESULTS / f"{name}.json").write_text(json.dumps({"machine": self.machine, **found}, indent=1) + "\n")
            if hasattr(self.modules[name], "draw"):
                self.draw(name)
        (RESULTS / "goals.json").write_text(json.dumps(
            [{**goal._asdict(), "reached": goal.reached} for goal in self.goals], indent=1) + "\n")
        (RESULTS / "report.txt").write_text(f"{self}\n")

    def draw(self, name):
        import matplotlib
        matplotlib.use("svg")
        matplotlib.rcParams.update({"svg.hashsalt": "doorward", "svg.fonttype": "none", "font.size": 9})
        from matplotlib import pyplot
        drawn = self.modules[name].draw(self.results[name], pyplot)
        drawn.suptitle(machine_text(self.machine))
        drawn.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
        pyplot.close(drawn)

    def baseline(self):
        """bench/BASELINE.md: the same tables, as the figures of a release."""
        about = self.machine
        parts = ["# Baseline", "Written by `./dev bench --baseline`, on a machine that did nothing else: "
                 f"{machine_text(about)}, Linux {about['kernel']}, {about['date']}. Ratios travel; figures are this machine's.",
                 "## To reach", f"```\n{self.goals_text()}\n```"]
        for name, title, text in self.texts():
            parts += [f"## {name}", title, f"```\n{text}\n```"]
        BASELINE.write_text("\n\n".join(parts) + "\n")


def read_arguments():
    options = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    options.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES + BY_NAME)}; with --against of {', '.join(against.PATHS)}; none: all, but {', '.join(BY_NAME)}")
    options.add_argument("--smoke", action="store_true", help="as short as can be, to see that all works; keeps nothing")
    options.add_argument("--peers", action="store_true", help="hash: beside the libraries that other servers call as well")
    options.add_argument("--baseline", action="store_true", help="write bench/BASELINE.md as well; all suites")
    options.add_argument("--against", metavar="REF", help="compare with another commit instead, in alternating rounds")
    against.add_options(options)
    how = options.parse_intermixed_args()
    known = against.PATHS if how.against else SUITES + BY_NAME
    if unknown := [name for name in how.suites if name not in known]:
        options.error(f"there is no {unknown[0]}; {', '.join(known)}")
    if how.rounds < against.LEAST_ROUNDS:
        options.error(f"--rounds: fewer than {against.LEAST_ROUNDS} cannot tell a change from noise")
    if how.baseline and (how.suites or how.smoke):
        options.error("--baseline is of all suites")
    return how


def main():
    how = read_arguments()
    if how.against:
        return against.main(how)
    ninja("doorward-bench", "bench-ceiling", "bench/bench-flood")
    report = Report()
    for name in how.suites or SUITES:
        report.add(name, how)
    if not how.smoke:
        report.keep()
    if how.baseline:
        report.baseline()
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
