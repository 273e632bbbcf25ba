"""A deployment moves: `doorward export` and `doorward import`, from SQLite to the backend of this run and back."""
import contextlib
import json
import os
import pty
import resource
import signal
import stat
import subprocess
import uuid

import pytest

from move import HASH, HEADER, export, file_of, lines_of, load, person, records_of, status_of_login, statuses
from service import PASSWORD, bearer, random_master_key, unique_name, wait_until

FOREIGN = "pbkdf2_sha256$1000$abcdefgh$vNFr/16sLkcxT3HS5CKOhAbUS6+i5mshQdhBrE3fmqE="
LONG_S = 1200


# ---- there and back


def test_a_round_trip_is_byte_equal_and_everybody_logs_in_after_each_move(open_old, open_new):
    old = open_old().start()
    named, disabled, failed = (old.register()["username"] for _ in range(3))
    mailed = old.register(username=None, email=f"{unique_name()}@example.org")["email"]
    both = old.register(username=unique_name().upper(), email=f"{unique_name()}@example.org")
    old.cli("user", "role", named, "admin", "reader")
    old.cli("user", "disable", disabled)
    assert status_of_login(old, failed, "wrong") == 401
    foreign = person(password_hash=FOREIGN)
    load(old, file_of(foreign))
    old.stop()
    first = export(old)
    assert len(lines_of(first)) == 6 + 2

    new, back = open_new(), open_old()
    assert "added users 6," in load(new, first)
    second = export(new)
    assert records_of(second) == records_of(first)
    load(back, second)
    assert records_of(export(back)) == records_of(first)

    for moved in (new.start(), back.start()):
        for name in (named, mailed, both["username"].lower(), both["email"], failed):
            assert status_of_login(moved, name) == 200
            assert status_of_login(moved, name, "wrong") == 401
        assert status_of_login(moved, disabled) == 401
        assert status_of_login(moved, foreign["username"], "password") == 200
        assert moved.stop() == 0


def test_a_move_with_sessions_and_keys_signs_nobody_out_and_nobody_in_again(open_old, open_new):
    old = open_old().start()
    name, alive = old.newcomer()
    rotated = old.login(name)
    with old.client() as client:
        rotated = client.post("/refresh-token", json={"refresh_token": rotated["refresh_token"]}).json()
        out = old.login(name)
        assert client.post("/logout", headers=bearer(out)).status_code == 204
        other, gone = old.newcomer()
        changer = old.login(other)
        change = {"current_password": PASSWORD, "new_password": "another horse"}
        assert client.post("/password", headers=bearer(changer), json=change).status_code == 204
        _, deleted = old.newcomer()
        assert client.request("DELETE", "/profile", headers=bearer(deleted),
                              json={"password": PASSWORD}).status_code == 204
    old.stop()
    text = export(old, "--sessions", "--keys")
    assert {line["type"] for line in lines_of(text)} == {"header", "key", "user", "session", "revocation", "end"}
    assert any(line["type"] == "revocation" and line.get("user_id") and line["epoch"] is None
               for line in lines_of(text))

    new, back = open_new(), open_old()
    load(new, text)
    assert records_of(export(new, "--sessions", "--keys")) == records_of(text)
    load(back, export(new, "--sessions", "--keys"))
    assert records_of(export(back, "--sessions", "--keys")) == records_of(text)
    for moved in (new.start(), back.start()):
        assert statuses(moved, alive) == (200, 200)
        assert statuses(moved, rotated) == (200, 200)
        assert statuses(moved, changer) == (200, 200)
        for ended in (out, gone, deleted):
            assert statuses(moved, ended) == (401, 401)
        assert moved.stop() == 0


def test_without_keys_a_client_needs_one_refresh_and_no_login(open_old, open_new):
    old = open_old().start()
    _, tokens = old.newcomer()
    old.stop()
    new = open_new()
    load(new, export(old, "--sessions"))
    assert statuses(new.start(), tokens) == (401, 200)


def many(count):
    """Users as they are after some years."""
    for i in range(count):
        yield {"type": "user", "id": str(uuid.UUID(int=(i << 64) + (7 << 76) + i)), "username": f"User.{i}",
               "email": f"user-{i}@example.org" if i % 3 else None, "password_hash": HASH,
               "roles": ["reader", "editor"][: i % 3], "disabled": i % 17 == 0, "session_epoch": i % 5,
               "failures": i % 2, "created_at": "2021-03-04T05:06:07.089Z", "updated_at": "2026-03-04T05:06:07.000Z"}


def run(service, *arguments, **streams):
    done = subprocess.run([service.binary, *arguments], cwd=service.directory, env=service.environment,
                          stderr=subprocess.PIPE, timeout=LONG_S, **streams)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode()


# SecantusDB reads the rest of the collection for each page of an export: what a database answers in milliseconds, it does in seconds.
@pytest.mark.parametrize("count", [2100, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3 * LONG_S)])])
def test_many_users_are_byte_equal_after_a_round_trip(open_old, open_new, tmp_path, count):
    source = tmp_path / "source.ndjson"
    source.write_text(file_of(*many(count)))
    files = []
    for number, deployment in enumerate((open_old(), open_new(MONGO_SOCKET_TIMEOUT_MS=30000), open_old())):
        with open(files[-1] if files else source) as lines:
            said = run(deployment, "import", stdin=lines)
        assert f"added users {count}," in said and "refused 0" in said
        files.append(tmp_path / f"{number}.ndjson")
        run(deployment, "export", "--output", files[-1])
    first, second, third = (file.read_bytes().partition(b"\n")[2] for file in files)
    assert first == second == third
    assert first.count(b"\n") == count + 1


# ---- again and again


def test_an_import_that_was_killed_goes_on_where_it_was(open_new):
    new = open_new()
    text = file_of(*many(2000))
    half = text[: len(text) // 2]
    killed = subprocess.Popen([new.binary, "import"], cwd=new.directory, env=new.environment, stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    killed.stdin.write(half.encode())
    killed.stdin.flush()
    wait_until(lambda: len(new.cli("user", "list").stdout.splitlines()) > 500, "the first batches")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = len(new.cli("user", "list").stdout.splitlines())
    assert before < 2000
    assert f"added users {2000 - before}," in load(new, text)
    assert f"there already {2000}" in load(new, text)
    assert lines_of(export(new))[-1] == {"type": "end", "records": 2000}


def test_an_export_goes_on_behind_a_user(open_new):
    new = open_new()
    load(new, file_of(*many(200)))
    whole = lines_of(export(new))[1:-1]
    rest = lines_of(export(new, "--after", whole[120]["id"]))
    assert rest[1:-1] == whole[121:]
    assert rest[0]["after"] == whole[120]["id"]


def test_users_without_ids_get_some_and_are_known_when_they_come_again(open_new):
    new = open_new()
    text = file_of(person(roles=["admin"]), person(username=None, email="Ann.B@Example.org"))
    assert "added users 2," in load(new, text)
    assert "there already 2" in load(new, text)
    first, second = lines_of(export(new))[1:-1]
    assert {first["email"], second["email"]} == {None, "ann.b@example.org"}
    assert uuid.UUID(first["id"]).version == 7
    assert status_of_login(new.start(), "ann.b@example.org", "password") == 200


def test_users_with_ids_but_no_times_are_known_when_they_come_again(open_new):
    new = open_new()
    twice = person(id=str(uuid.uuid4()))
    text = file_of(person(id=str(uuid.uuid4())), twice, twice)
    assert "there already 1; refused 0" in load(new, text)
    before = export(new)
    assert "there already 3; refused 0" in load(new, text)
    assert "there already 3; refused 0" in load(new, text, "--dry-run")
    assert records_of(export(new)) == records_of(before)


def test_who_has_logged_in_meanwhile_is_still_the_same(open_old, open_new):
    old, new = open_old().start(), open_new()
    name = old.register()["username"]
    old.stop()
    text = export(old)
    load(new, text)
    new.start()
    assert status_of_login(new, name, "wrong") == 401
    assert status_of_login(new, name) == 200
    assert status_of_login(new, name, "wrong") == 401
    assert "there already 1; refused 0" in load(new, text)


def test_what_is_there_is_left_as_it_is(open_new):
    new = open_new()
    ann, bob, eve = (person(id=str(uuid.uuid4())) for _ in range(3))
    load(new, file_of(ann, bob, eve))
    before = export(new)
    changed = {**ann, "roles": ["admin"]}
    said = load(new, file_of(changed, {**bob, "id": str(uuid.uuid4())}, {**eve, "username": bob["username"]}), code=1)
    assert "line 2: id: a user with this id is there and differs" in said
    assert f"line 3: username: is taken by another user: {bob['id']}" in said
    assert "line 4: id: a user with this id is there and differs" in said
    assert records_of(export(new)) == records_of(before)


def test_who_deleted_the_account_is_not_brought_back(open_new):
    new = open_new()
    ann = person(id=str(uuid.uuid4()))
    load(new, file_of(ann))
    new.cli("user", "delete", ann["username"])
    assert "was deleted here" in load(new, file_of({**ann, "username": unique_name()}), code=1)
    assert len(lines_of(export(new))) == 2


def test_a_running_service_takes_imported_users_at_once(open_new):
    new = open_new().start()
    ann = person()
    load(new, file_of(ann))
    assert status_of_login(new, ann["username"], "password") == 200


# ---- what is refused

BAD_USERS = [
    ({"password_hash": None}, "password_hash", "required"),
    ({"password_hash": "secret"}, "password_hash", "invalid_format"),
    ({"password_hash": 5}, "password_hash", "wrong_type"),
    ({"password_hash": "$2b$31$" + HASH[7:] + "x"}, "password_hash", "invalid_format"),
    ({"username": None}, "username", "required"),
    ({"username": ""}, "username", "too_short"),
    ({"username": "x" * 65}, "username", "too_long"),
    ({"username": "a\nX-Auth-Roles: admin"}, "username", "invalid_format"),
    ({"username": "a\u200bb"}, "username", "invalid_format"),
    ({"username": {"$gt": ""}}, "username", "wrong_type"),
    ({"username": "nul\0"}, "", "invalid_json"),
    ({"email": "nobody"}, "email", "invalid_format"),
    ({"roles": "admin"}, "roles", "wrong_type"),
    ({"roles": ["a b"]}, "roles", "wrong_type"),
    ({"roles": ["a,b"]}, "roles", "invalid_format"),
    ({"roles": ["r"] * 17}, "roles", "wrong_type"),
    ({"disabled": 1}, "disabled", "wrong_type"),
    ({"session_epoch": -1}, "session_epoch", "wrong_type"),
    ({"session_epoch": 2**53}, "session_epoch", "wrong_type"),
    ({"session_epoch": 1.5}, "session_epoch", "wrong_type"),
    ({"failures": 2**64}, "", "invalid_json"),
    ({"id": "1"}, "id", "wrong_type"),
    ({"id": str(uuid.UUID(int=0))}, "id", "wrong_type"),
    ({"created_at": "yesterday"}, "created_at", "wrong_type"),
    ({"created_at": 1700000000}, "created_at", "wrong_type"),
    ({"is_admin": True}, "is_admin", "unknown_member"),
    ({"\x1b[31m": True}, "?[31m", "unknown_member"),
]
BAD_LINES = [
    ("{", "", "invalid_json"),
    ("[]", "", "wrong_type"),
    ('"user"', "", "invalid_json"),
    ("{}", "type", "required"),
    ('{"type":"admin"}', "type", "unknown_type"),
    ('{"type":["user"]}', "type", "unknown_type"),
    (json.dumps(HEADER), "type", "unexpected"),
    ('{"type":"user","username":"a","username":"b","password_hash":"%s"}' % HASH, "", "invalid_json"),
    ('{"type":"user","username":"\udcff","password_hash":"%s"}' % HASH, "", "invalid_json"),
    ('{"type":"user","username":"\\ud800","password_hash":"%s"}' % HASH, "", "invalid_json"),
    ("[" * 60000, "", "invalid_json"),
    (" " * 70000 + "x", "", "too_long"),
    ("\0\1\2", "", "invalid_json"),
    ('{"type":"revocation","expires_at":"2030-01-01T00:00:00Z"}', "session_id", "required"),
]


def rejects_of(service, text, code=1):
    """Imports bytes; the refused lines."""
    report = service.directory / f"rejects-{unique_name()}"
    done = subprocess.run([service.binary, "import", "--rejects", report], cwd=service.directory,
                          env=service.environment, input=text, capture_output=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    return lines_of(report.read_text()), report.read_text()


def test_bad_lines_are_refused_with_their_reason_and_the_rest_goes_on(open_new):
    new = open_new()
    lines = [json.dumps({**person(), **members}) for members, _, _ in BAD_USERS] + [line for line, _, _ in BAD_LINES]
    expected = [(field, code) for _, field, code in BAD_USERS + BAD_LINES]
    lines += [json.dumps(person(username=f"good{i}")) for i in range(3)]
    text = "\n".join([json.dumps(HEADER), *lines, '{"type":"end"}']) + "\n"
    refused, report = rejects_of(new, text.encode("utf-8", "surrogateescape"))
    assert [(one["field"], one["code"]) for one in refused] == expected
    assert [one["line"] for one in refused] == [2 + i for i in range(len(expected))]
    assert HASH not in report
    assert {line["username"] for line in lines_of(export(new))[1:-1]} == {"good0", "good1", "good2"}


def test_names_that_others_allow_may_come_and_log_in(open_new):
    new = open_new()
    names = ["John Smith", "名前", "a+b=c", "x" * 64, "ann@home"]
    load(new, file_of(*(person(username=name) for name in names)))
    new.start()
    for name in names:
        with new.client() as client:
            answer = client.post("/login", json={"username": name, "password": "password"})
            assert answer.status_code == 200, name
            assert client.get("/verify", headers=bearer(answer.json())).status_code == 200


def test_sessions_and_keys_of_another_master_key_or_user_are_refused(open_old, open_new):
    old = open_old().start()
    _, tokens = old.newcomer()
    old.stop()
    text = export(old, "--sessions", "--keys")
    stranger = open_new(MASTER_KEY=random_master_key())
    refused, _ = rejects_of(stranger, text.encode())
    assert {(one["field"], one["code"]) for one in refused} == {
        ("wrapped_private", "unknown_master_key"), ("master_key", "unknown_master_key")}
    session = next(line for line in lines_of(text) if line["type"] == "session")
    alone = json.dumps(HEADER) + "\n" + json.dumps(session) + '\n{"type":"end"}\n'
    assert "user_id: is not the id of a user here" in load(open_new(), alone, code=1)


@pytest.mark.parametrize("algorithm", ["RS256", "none", "ES257", ""])
def test_a_key_that_is_not_of_its_algorithm_is_refused_and_the_service_starts(open_old, open_new, algorithm):
    old, new = open_old().start(), open_new()
    old.stop()
    key = lines_of(export(old, "--keys"))[1]
    text = "".join(json.dumps(line) + "\n" for line in (HEADER, {**key, "algorithm": algorithm}, {"type": "end"}))
    refused, _ = rejects_of(new, text.encode())
    assert [(one["field"], one["code"]) for one in refused] == [("algorithm", "invalid_format")]
    new.start().newcomer()


def test_a_service_that_has_keys_of_its_own_keeps_them(open_old, open_new):
    old, new = open_old().start(), open_new().start()
    old.stop()
    new.stop()
    before = lines_of(export(new, "--keys"))[1]
    assert "no service has started" in load(new, export(old, "--keys"), code=1)
    assert lines_of(export(new, "--keys"))[1] == before


@pytest.mark.parametrize("text, what", [
    ("", "the input ends"),
    ("\n\n", "the input ends"),
    (file_of(person(), end=False), "the input ends"),
    (file_of(person(), person())[:-40], "the input ends"),
    (json.dumps(person()) + "\n", "not the header"),
    ("\x7fELF\0\0" * 100, "not the header"),
    (json.dumps({**HEADER, "version": 2}) + "\n", "another version"),
    (json.dumps({**HEADER, "format": "other"}) + "\n", "not the header"),
    (file_of(person()).replace('"records": 1', '"records": 2'), "another number"),
    (file_of(person()) + file_of(person()), "behind the end"),
])
def test_an_input_that_is_not_a_whole_export_is_told(open_new, text, what):
    assert what in load(open_new(), text, code=2)


def test_line_ends_of_windows_and_a_missing_last_one_do_not_matter(open_new):
    text = file_of(person(), person()).replace("\n", "\r\n") + "\r\n"
    assert "added users 2," in load(open_new(), text)
    assert "added users 1," in load(open_new(), file_of(person()).rstrip("\n"))


def test_a_dry_run_judges_and_writes_nothing(open_new):
    new = open_new()
    there = person(id=str(uuid.uuid4()))
    load(new, file_of(there))
    text = file_of(person(), there, person(username=there["username"]), person(password_hash="x"))
    said = load(new, text, "--dry-run", code=1)
    assert "would add users 1," in said and "there already 2" in said and "refused 1" in said
    assert len(lines_of(export(new))) == 3


# ---- where it goes


def test_an_output_file_is_private_and_never_replaced_by_accident(open_new):
    new = open_new()
    load(new, file_of(person()))
    path = new.directory / "users.ndjson"
    new.cli("export", "--output", "users.ndjson")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    whole = path.read_text()
    assert "--force" in new.cli("export", "--output", "users.ndjson", code=2).stderr
    assert path.read_text() == whole
    path.chmod(0o644)
    new.cli("export", "--output", "users.ndjson", "--force")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    victim = new.directory / "victim"
    victim.write_text("kept")
    link = new.directory / "link"
    link.symlink_to(victim)
    new.cli("export", "--output", "link", code=2)
    new.cli("export", "--output", "link", "--force")
    assert victim.read_text() == "kept" and not link.is_symlink()


def test_a_file_that_is_to_be_replaced_stays_until_the_new_one_is_whole(open_new):
    new = open_new()
    load(new, file_of(*many(500)))
    old = new.directory / "users.ndjson"
    old.write_text("the last good one")
    done = subprocess.run([new.binary, "export", "--output", "users.ndjson", "--force"], cwd=new.directory, env=new.environment,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and old.read_text() == "the last good one"
    new.cli("export", "--output", "users.ndjson", "--force")
    assert len(lines_of(old.read_text())) > 500 and not (new.directory / "users.ndjson.part").exists()


def test_what_cannot_be_written_is_no_success(open_new):
    new = open_new()
    load(new, file_of(*many(500)))
    with open("/dev/full", "w") as full:
        done = subprocess.run([new.binary, "export"], cwd=new.directory, env=new.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "No space left" in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([new.binary, "export"], cwd=new.directory, env=new.environment, stdout=writing,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert done.returncode == 2 and "Broken pipe" in done.stderr


def test_hashes_are_not_written_to_a_terminal(open_new):
    new = open_new()
    ours, theirs = pty.openpty()
    done = subprocess.run([new.binary, "export"], cwd=new.directory, env=new.environment, stdout=theirs,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and "--output" in done.stderr


def test_progress_is_on_a_terminal_and_has_no_secrets(open_new):
    new = open_new()
    load(new, file_of(*many(1000)))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([new.binary, "import"], cwd=new.directory, env=new.environment, stdin=subprocess.PIPE,
                               stderr=theirs)
    os.close(theirs)
    text = file_of(*many(1000)).encode()
    process.stdin.write(text[: len(text) // 2])
    process.stdin.flush()
    shown = b""
    process.stdin.write(text[len(text) // 2:])
    process.stdin.close()
    with contextlib.suppress(OSError):  # the other side has gone
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert process.wait(60) == 0
    assert b"there already 1000" in shown
    assert b"$2b$" not in shown and b"example.org" not in shown


@pytest.mark.parametrize("arguments", [["export", "--after", "x"], ["export", "more"], ["import", "users.ndjson"],
                                       ["import", "--force"], ["export", "--output"]])
def test_a_wrong_command_line_is_told_and_does_nothing(open_new, arguments):
    said = open_new().cli(*arguments, code=2).stderr
    assert said.startswith("doorward: ") and said.count("\n") == 1
