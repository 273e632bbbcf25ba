"""doorward-bench in process, and what ./dev bench makes of it."""
import json
import subprocess
import sys

import pytest

from service import BINARY, ROOT

sys.path.append(str(ROOT / "bench"))
import against  # noqa: E402
import common  # noqa: E402

IN_PROCESS = ["hash", "token", "http-parse", "json", "store"]


def bench(*arguments, code=0):
    done = subprocess.run([BINARY.parent / "doorward-bench", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


@pytest.mark.parametrize("command", IN_PROCESS)
def test_each_command_measures_ours_beside_a_reference(command):
    short = {"hash": ["--cost", "4"], "token": ["--case", "256"]}.get(command, [])
    report = json.loads(bench(command, *short, "--rounds", "7", "--ms", "1", "--json").stdout)
    assert report["command"] == command and report["cases"]
    for case in report["cases"]:
        ours, *others = case["sides"]
        assert others and "ours_is" not in ours
        for other in others:
            pairs = zip(ours["cpu_ns"]["rounds"], other["cpu_ns"]["rounds"])
            assert other["ours_is"]["rounds"] == pytest.approx([b / a for a, b in pairs], rel=1e-6)


def test_the_interval_of_a_median_is_the_one_that_the_signs_give():
    for rounds in (1, 5, 6, 9, 12):
        report = json.loads(bench("json", "--rounds", str(rounds), "--ms", "1", "--json").stdout)
        told = report["cases"][0]["sides"][0]["cpu_ns"]
        assert len(told["rounds"]) == rounds
        for name, value in common.median_interval(told["rounds"]).items():
            assert told[name] == pytest.approx(value, rel=1e-6), (name, rounds)


def test_the_interval_leaves_out_as_many_values_as_a_table_of_the_binomial_says():
    values = list(range(1, 101))
    of = lambda count, confidence=0.95: common.median_interval(values[:count], confidence)
    assert (of(5)["low"], of(5)["high"]) == (1, 5)
    assert (of(9)["low"], of(9)["high"]) == (2, 8)
    assert (of(20)["low"], of(20)["high"]) == (6, 15)
    assert (of(12, 0.99)["low"], of(12, 0.99)["high"]) == (2, 11)


def test_a_change_counts_only_beyond_the_noise():
    before = [100, 101, 99, 100, 102, 98, 100, 101, 99, 100]
    verdict = lambda now: against.judge(before, now)["verdict"]
    assert verdict([value * 1.2 for value in before]) == "slower"
    assert verdict([value * 0.8 for value in before]) == "faster"
    assert verdict(before[::-1]) == "no change beyond noise"
    assert verdict([value * 1.01 for value in before]) == "no change beyond noise"
    assert against.judge(before[:5], [value * 2 for value in before[:5]])["verdict"] == "too few rounds to tell"
    assert verdict([value * (1.3 if i % 2 else 0.9) for i, value in enumerate(before)]) == "no change beyond noise"


def test_a_goal_is_reached_on_its_own_side_of_the_bound():
    assert common.Goal("memory", 9.9, 10).reached and not common.Goal("memory", 10.1, 10).reached
    assert common.Goal("rate", 0.91, 0.9, at_least=True).reached and not common.Goal("rate", 0.89, 0.9, at_least=True).reached


@pytest.mark.parametrize("arguments, word", [
    ([], "command"), (["fly"], "fly"), (["json", "--rounds", "0"], "--rounds"), (["json", "--rounds", "ten"], "ten"),
    (["json", "--speed", "9"], "--speed"), (["json", "--ms"], "--ms"), (["json", "more"], "more"),
    (["json", "--case", "no such case"], "no such case"), (["hash", "--cost", "3"], "--cost"),
])
def test_what_cannot_be_measured_is_one_line_and_exit_2(arguments, word):
    done = bench(*arguments, code=2)
    assert done.stderr.count("\n") == 1 and word in done.stderr


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)


def commits_before():
    """With which the history begins, before there was the program; none in a clone of the last commits alone."""
    first = git("rev-list", "--max-parents=0", "HEAD").stdout.split()
    return [commit for commit in first if git("cat-file", "-e", f"{commit}:bench/measure.c").returncode != 0]


def run_against(*arguments):
    return subprocess.run([sys.executable, ROOT / "bench/run.py", "--against", *arguments], capture_output=True, text=True)


def test_a_commit_that_is_not_there_is_one_line_and_exit_2():
    done = run_against("no-such-commit")
    assert done.returncode == 2 and done.stderr == "bench: no-such-commit is no commit of this repository\n"


@pytest.mark.skipif(not commits_before(), reason="these sources have no history, or not all of it")
def test_a_commit_without_the_program_is_one_line_and_exit_2():
    done = run_against(commits_before()[0])
    assert done.returncode == 2 and "has no doorward-bench" in done.stderr and done.stderr.count("\n") == 1
