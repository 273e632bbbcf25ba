"""`doorward calibrate`: its table, its recommendation, and what it refuses. Figures are not judged: machines differ."""
import json
import os
import re

import pytest

RELEASE = os.environ.get("DOORWARD_RELEASE")  # it measures; sanitizers would be measured with it


def rows(text):
    """The table: cost -> its figures."""
    found = re.findall(r"^ +(\d+)([ ~])" + r" +([\d.]+)" * 5 + r"$", text, re.M)
    return {int(cost): (mark == " ", *map(float, figures)) for cost, mark, *figures in found}


def test_it_prints_a_table_and_a_cost_and_touches_nothing(new_service):
    service = new_service(binary=RELEASE, PASSWORD_KERNEL="c", PASSWORD_LANES=3)
    service.directory.chmod(0o500)
    said = service.cli("calibrate").stdout
    service.directory.chmod(0o700)
    assert list(service.directory.iterdir()) == []
    assert said.startswith("kernel c, 3 lanes, ")
    table = rows(said)
    assert sorted(table) == list(range(8, 17))
    assert [cost for cost, row in table.items() if row[0]] == [8, 10, 12]
    for _, *figures in table.values():
        assert all(figure > 0 for figure in figures)
    assert table[13][1] == pytest.approx(2 * table[12][1], rel=0.05)
    assert 10 <= int(re.search(r"^BCRYPT_COST=(\d+)$", said, re.M)[1]) <= 31


def test_a_target_that_no_safe_cost_meets_is_told_with_the_least_safe_one(new_service):
    said = new_service(binary=RELEASE).cli("calibrate", "--target-ms", "1").stdout
    assert "\nBCRYPT_COST=10\n" in said and "more than the 1 ms" in said


def test_for_programs_it_is_json_and_the_cost_follows_from_its_figures(new_service):
    said = json.loads(new_service(binary=RELEASE).cli("calibrate", "--json", "--target-ms", "60000").stdout)
    last = said["costs"][-1]
    cost = said["recommended_cost"]
    assert 10 <= cost <= 31
    assert last["alone_ms"] * 2.0 ** (cost - last["cost"]) <= 60000
    assert cost == 31 or last["alone_ms"] * 2.0 ** (cost + 1 - last["cost"]) > 60000
    assert 1 <= said["threads"] <= len(os.sched_getaffinity(0))
    for row in said["costs"]:
        assert row["logins_per_second"] == pytest.approx(said["threads"] * row["hashes_per_second"], rel=0.01)


@pytest.mark.parametrize("arguments", [
    ["--target-ms"], ["--target-ms", "0"], ["--target-ms", "soon"], ["--target-ms", "-5"], ["--target-ms", "60001"],
    ["--target-ms", ""], ["--target-ms=99999999999999999999"], ["--fast"], ["12"],
])
def test_what_it_does_not_understand_is_one_line_and_exit_code_2(new_service, arguments):
    done = new_service(binary=RELEASE).cli("calibrate", *arguments, code=2)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert "calibrate" in done.stderr


def test_a_bad_setting_is_told_as_everywhere(new_service):
    done = new_service(PASSWORD_KERNEL="abacus").cli("calibrate", code=2)
    assert "PASSWORD_KERNEL" in done.stderr and done.stderr.count("\n") == 1


def test_its_help_says_what_there_is(new_service):
    said = new_service(binary=RELEASE).cli("calibrate", "--help").stdout
    assert "--target-ms" in said and "BCRYPT_COST" in said and "--json" in said
