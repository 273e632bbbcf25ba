"""What the README and docs/ tell people to do works, and what they name is there."""
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from service import PATIENCE_S, ROOT, bearer, child_of, free_port, refresh, verify

DOCS = ROOT / "docs"


def test_the_walk_of_the_readme_goes_as_it_is_printed(start_service):
    service = start_service()
    walk = (ROOT / "README.md").read_text().split("[start:walk]")[1].split("[end:walk]")[0]
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", walk, re.M)
    script = "\n".join(commands).replace("https://127.0.0.1:8443", service.url)
    done = subprocess.run(["bash", "-e", "-c", script], cwd=service.directory, capture_output=True, text=True, timeout=PATIENCE_S,
                          env={"PATH": os.environ["PATH"], "HOME": str(service.directory)})
    assert done.returncode == 0 and len(commands) > 5, done.stderr
    printed = r'HTTP/1\.1 \d+ [\w ]+|"code":"\w+"|"message":"[\w ]+"|X-Auth-Username: \w+'
    assert re.findall(printed, done.stdout) == re.findall(printed, walk)


@pytest.mark.sqlite
@pytest.mark.parametrize("copy", ["sqlite3", "vacuum"])
def test_a_backup_of_a_running_service_restores_its_moment(start_service, copy):
    """As docs/operating.md says, by the program and by the statement alone."""
    if copy == "sqlite3" and not shutil.which("sqlite3"):
        pytest.skip("there is no sqlite3 here")
    service = start_service()
    early, tokens = service.newcomer()
    gone, ended = service.newcomer()
    if copy == "sqlite3":
        subprocess.run(["sqlite3", "var/doorward.db", "VACUUM INTO 'backup.db'"], cwd=service.directory, check=True)
    else:
        with contextlib.closing(sqlite3.connect(service.directory / "var" / "doorward.db")) as db:
            db.execute("VACUUM INTO ?", [str(service.directory / "backup.db")])
    late, _ = service.newcomer()
    with service.client() as client:
        newer = child_of(client, child_of(client, tokens["refresh_token"])["refresh_token"])
        assert client.post("/logout", headers=bearer(ended)).status_code == 204

    service.stop()
    for name in ("doorward.db-wal", "doorward.db-shm"):
        (service.directory / "var" / name).unlink(missing_ok=True)
    (service.directory / "backup.db").replace(service.directory / "var" / "doorward.db")
    service.start()
    with service.client() as client:
        assert client.post("/login", json={"username": late, "password": "correct horse battery"}).status_code == 401
        assert verify(client, tokens) == 200
        assert refresh(client, newer["refresh_token"]).json()["code"] == "invalid_refresh_token"
        assert refresh(client, tokens["refresh_token"]).status_code == 200
        assert verify(client, ended) == 200  # the accepted price: it is logged in again
        service.cli("user", "passwd", gone, stdin="a password of today\n")
        assert refresh(client, ended["refresh_token"]).status_code == 401
    service.login(early)


def test_every_metric_that_is_documented_is_there(start_service):
    service = start_service(METRICS_PORT=free_port())
    told = set(re.findall(r"`(doorward_\w+)`", (DOCS / "operating.md").read_text()))
    there = set(re.findall(r"^# TYPE (\w+)", service.metrics(), re.M))
    assert told and told <= there, told - there


def test_every_event_that_is_documented_is_in_the_source():
    table = (DOCS / "operating.md").read_text().split("\n| `event` | what |\n")[1].split("\n\n")[0]
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.c"))
    told = set(re.findall(r"`([a-z_]{5,})`", table)) - {"action", "error"}
    assert told and [name for name in told if f'"{name}"' not in source] == []
