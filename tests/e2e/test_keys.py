"""Signing keys rotate and are retired while the service runs: nobody is refused who should not be, whoever is killed when."""
import base64
import collections
import contextlib
import json
import re
import sqlite3
import ssl
import subprocess
import threading
import time

import httpx
import pytest

from service import bearer, free_port, in_parallel, in_time, random_master_key, wait_until

# A second, of which half is a round of looking, and this machine's usual pauses.
WITHIN_S = 1 + 1.5


@pytest.fixture
def new_processes(new_service, new_store):
    """Services on one database and with one master key, not started."""
    def make(count, **settings):
        # Who polls by logging in opens more sessions than a user may otherwise have.
        shared = {**new_store(), "MAX_SESSIONS_PER_USER": 1000, **settings}
        return [new_service(**shared) for _ in range(count)]

    return make


@pytest.fixture
def start_processes(new_processes):
    def start(count, **settings):
        made = new_processes(count, **settings)
        return [one.start() for one in made]

    return start


def header_of(token):
    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def kid_of(tokens):
    return header_of(tokens["access_token"])["kid"]


def key_list(service):
    """The fields of each key, by kid, in the order of the list."""
    keys = {}
    for line in service.cli("key", "list").stdout.splitlines():
        kid, algorithm, generation, state, *_ = line.split("\t")
        keys[kid] = (algorithm, int(generation), state)
    return keys


def states(service):
    return [state for _, _, state in key_list(service).values()]


def key_set(service):
    with service.client() as client:
        return client.get("/.well-known/jwks.json")


def published(service):
    return [key["kid"] for key in key_set(service).json()["keys"]]


def verify(service, tokens):
    with service.client() as client:
        return client.get("/verify", headers=bearer(tokens)).status_code


def refresh(service, tokens):
    with service.client() as client:
        answer = client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- rotation

def test_a_rotation_by_hand_publishes_the_next_key_and_goes_on_signing_with_the_present_one(start_processes):
    first, second = start_processes(2)
    name, tokens = first.newcomer()
    before = key_set(first)
    assert states(first) == ["signing"] and published(first) == [kid_of(tokens)]
    line = first.cli("key", "rotate").stdout
    kid = line.split("\t")[0]
    assert key_list(first)[kid] == ("ES256", 2, "pending")
    for service in (first, second):
        wait_until(lambda: kid in published(service), "the next key's publication")
    after = key_set(first)
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content == key_set(second).content and after.headers["etag"] == key_set(second).headers["etag"]
    assert after.headers["cache-control"] == "public, max-age=600"
    assert published(first) == sorted([kid, kid_of(tokens)])
    assert all(set(key) == {"alg", "crv", "kid", "kty", "use", "x", "y"} for key in after.json()["keys"])
    assert kid_of(first.login(name)) == kid_of(tokens)


def test_a_rotation_at_once_signs_in_seconds_and_says_what_that_means(start_processes):
    first, second = start_processes(2)
    name, tokens = first.newcomer()
    done = first.cli("key", "rotate", "--now")
    assert "JWKS_MAX_AGE" in done.stderr
    kid = done.stdout.split("\t")[0]
    wait_until(lambda: kid_of(second.login(name)) == kid, "the new key's signature")
    assert states(first) == ["verifying", "signing"]
    new = first.login(name)
    assert [verify(s, t) for s in (first, second) for t in (tokens, new)] == [200] * 4


def test_a_schedule_makes_one_key_a_period_however_many_processes_there_are(start_processes):
    processes = start_processes(2, KEY_ROTATION=6, JWKS_MAX_AGE=1)
    name, tokens = processes[0].newcomer()
    wait_until(lambda: len(published(processes[1])) > 1, "the next key's publication")
    wait_until(lambda: kid_of(processes[1].login(name)) != kid_of(tokens), "the next key's signature")
    assert verify(processes[1], tokens) == 200
    assert [generation for _, generation, _ in key_list(processes[0]).values()][:2] == [1, 2]


def test_processes_that_start_together_on_nothing_agree_on_one_ring(new_processes):
    processes = new_processes(3)
    in_parallel(3, lambda i: processes[i].start())
    assert len({key_set(service).content for service in processes}) == 1
    assert states(processes[0]) == ["signing"]
    _, tokens = processes[0].newcomer()
    assert [verify(service, tokens) for service in processes] == [200, 200, 200]


# ---- retirement

def test_a_retired_key_is_refused_by_every_process_within_a_second(start_processes):
    processes = start_processes(3)
    name, _ = processes[0].newcomer()

    def retire():
        tokens = processes[0].login(name)
        assert [verify(service, tokens) for service in processes] == [200, 200, 200]
        processes[0].cli("key", "retire", kid_of(tokens), "--yes")
        return tokens

    def be_refused(tokens):
        for service in processes:
            wait_until(lambda: verify(service, tokens) == 401, "the key's refusal")
        return tokens

    tokens = in_time(WITHIN_S, retire, be_refused)
    kid = kid_of(tokens)
    with processes[1].client() as client:
        answer = client.get("/verify", headers=bearer(tokens))
    assert answer.json()["code"] == "invalid_token"
    assert all(kid not in published(service) for service in processes)
    # The session lives, and whoever refreshes gets a token that everybody takes at once.
    new = refresh(processes[1], tokens)
    assert kid_of(new) != kid and [verify(service, new) for service in processes] == [200, 200, 200]
    assert set(states(processes[0])[:-1]) == {"retired"} and states(processes[0])[-1] == "signing"
    processes[2].restart()
    assert verify(processes[2], tokens) == 401 and verify(processes[2], new) == 200


def test_retiring_asks_for_consent_and_for_a_key_that_is_there(start_service):
    service = start_service()
    kid = next(iter(key_list(service)))
    assert "--yes" in service.cli("key", "retire", kid, code=2).stderr
    assert states(service) == ["signing"]
    assert "no such key" in service.cli("key", "retire", "nobody", "--yes", code=1).stderr
    assert "KID is missing" in service.cli("key", "retire", code=2).stderr


@pytest.mark.parametrize("arguments", [["key"], ["key", "turn"], ["key", "list", "x"], ["key", "list", "--now"], ["key", "rotate", "--yes"]])
def test_what_is_no_command_is_refused_in_one_line(service, arguments):
    done = service.cli(*arguments, code=2)
    assert done.stdout == "" and done.stderr.count("\n") == 1 and "--help" in done.stderr
    assert states(service) == ["signing"]


@pytest.mark.parametrize("verb", ["list", "rotate", "retire"])
def test_help_tells_what_each_command_takes(service, verb):
    assert verb in service.cli("key", "--help").stdout
    assert "--env-file" in service.cli("key", verb, "--help").stdout


# ---- secrets and master keys

def test_with_a_secret_the_commands_say_how_that_is_changed(start_service):
    service = start_service(JWT_SECRET="s" * 32)
    for arguments in (["list"], ["rotate"], ["retire", "x", "--yes"]):
        assert "JWT_SECRET_PREVIOUS" in service.cli("key", *arguments, code=2).stderr


def test_a_secret_is_changed_without_signing_anybody_out(start_service):
    service = start_service(JWT_SECRET="a" * 32)
    name, old = service.newcomer()
    service.settings.update(JWT_SECRET="b" * 32, JWT_SECRET_PREVIOUS="a" * 32)
    service.restart()
    assert verify(service, old) == 200
    new = refresh(service, old)
    assert kid_of(new) != kid_of(old) and verify(service, new) == 200
    service.settings.update(JWT_SECRET_PREVIOUS=None)
    service.restart()
    assert verify(service, new) == 200 and verify(service, old) == 401
    assert verify(service, refresh(service, new)) == 200


def test_master_keys_change_their_order_without_signing_anybody_out(start_service):
    one, two = random_master_key(), random_master_key()
    service = start_service(MASTER_KEY=one)
    sessions = [service.newcomer()[1]]
    for order in (f"{one},{two}", f"{two},{one}", f"{one},{two}", f"{two},{one}"):
        service.settings["MASTER_KEY"] = order
        service.restart()
        assert all(verify(service, tokens) == 200 for tokens in sessions)
        sessions = [refresh(service, tokens) for tokens in sessions]
        assert all(verify(service, tokens) == 200 for tokens in sessions)
        sessions.append(service.newcomer()[1])
        service.cli("key", "rotate", "--now")
    assert len(key_list(service)) == 5


class Sealed:
    """A stopped service with a session, whose MASTER_KEY has been replaced by a wrong one."""
    def __init__(self, start_service, **settings):
        self.key = random_master_key()
        self.service = start_service(MASTER_KEY=self.key, **settings)
        _, self.tokens = self.service.newcomer()
        self.service.stop()
        self.before = self.rows()
        self.service.settings["MASTER_KEY"] = random_master_key()

    def rows(self):
        path = self.service.directory / "var" / "doorward.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return [line for line in database.iterdump() if "heartbeat" not in line]

    def check_untouched(self):
        assert self.rows() == self.before

    def refusal(self):
        """The one line with which the start fails."""
        self.service.lines.clear()
        self.service.launch()
        assert self.service.stop(None) == 2
        assert len(self.service.lines) == 1 and "MASTER_KEY" in self.service.lines[0], self.service.lines
        self.check_untouched()
        return self.service.lines[0]


@pytest.mark.sqlite
def test_a_wrong_master_key_stops_the_start_names_the_right_one_and_touches_nothing(start_service):
    sealed = Sealed(start_service)
    service, line = sealed.service, sealed.refusal()
    listed = service.cli("key", "list").stdout
    assert "(missing)" in listed
    wrapped_by = re.search(r"master (\S+)", listed)[1]
    assert wrapped_by in line and kid_of(sealed.tokens) in line
    assert wrapped_by in service.cli("key", "rotate", code=2).stderr
    sealed.check_untouched()
    service.settings["MASTER_KEY"] = f"{service.settings['MASTER_KEY']},{sealed.key}"
    service.start()
    assert verify(service, sealed.tokens) == 200


@pytest.mark.sqlite
def test_a_wrong_master_key_is_found_out_with_a_secret_as_well(start_service):
    sealed = Sealed(start_service, JWT_SECRET="s" * 32)
    sealed.refusal()
    sealed.service.settings["MASTER_KEY"] = sealed.key
    sealed.service.start()
    assert verify(sealed.service, refresh(sealed.service, sealed.tokens)) == 200


def test_another_algorithm_takes_over_without_signing_anybody_out(start_service):
    service = start_service(JWKS_MAX_AGE=1, MAX_SESSIONS_PER_USER=1000)
    name, old = service.newcomer()
    service.settings["JWT_ALG"] = "EdDSA"
    service.restart()
    assert verify(service, old) == 200
    wait_until(lambda: header_of(service.login(name)["access_token"])["alg"] == "EdDSA", "the new algorithm")
    assert verify(service, old) == 200 and verify(service, refresh(service, old)) == 200
    assert [(algorithm, state) for algorithm, _, state in key_list(service).values()] == [("ES256", "verifying"), ("EdDSA", "signing")]


# ---- under load

class Load:
    """Clients that refresh at one process and show the new token to another; a killed process is no answer, and is asked again."""
    def __init__(self, processes, clients):
        self.processes, self.refused, self.counts, self.kids = processes, [], collections.Counter(), set()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(clients)]

    def _answer(self, index, method, path, **options):
        """The first answer from any process, beginning with this one."""
        while True:
            service = self.processes[index % len(self.processes)]
            with contextlib.suppress(httpx.HTTPError, OSError, ssl.SSLError):
                if service.process is not None:
                    with service.client() as client:
                        return client.request(method, path, **options)
            self.counts["unanswered"] += 1
            index += 1

    def _run(self, index):
        try:
            _, tokens = self.processes[index % len(self.processes)].newcomer()
            while not self.stop.is_set():
                answer = self._answer(index, "POST", "/refresh-token", json={"refresh_token": tokens["refresh_token"]})
                if answer.status_code == 503:
                    continue
                self._check(answer, "refresh")
                older, tokens = tokens, answer.json()
                self.kids.add(kid_of(tokens))
                for shown in (tokens, older):
                    self._check(self._answer(index + 1, "GET", "/verify", headers=bearer(shown)), "verify")
                    self._check(self._answer(index, "GET", "/verify", headers=bearer(shown)), "verify")
        except Exception as error:
            self.refused.append(repr(error))

    def _check(self, answer, what):
        self.counts[what] += 1
        if answer.status_code != 200:
            self.refused.append(f"{what}: {answer.status_code} {answer.text}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.long)])
def test_rotations_under_load_with_processes_killed_refuse_nobody(start_processes, rounds):
    # Who was not answered asks again with the same token, maybe late.
    processes = start_processes(3, REFRESH_GRACE=300)
    with Load(processes[:2], 4) as load:
        wait_until(lambda: load.counts["verify"] >= 8 or load.refused, "the first verifications")
        for round_ in range(rounds):
            # The third process takes no load, so that there is always one to ask for the list.
            kid = processes[2].cli("key", "rotate", "--now").stdout.split("\t")[0]
            if round_ % 3 == 1:
                victim = processes[round_ // 3 % 2]
                victim.kill()
                victim.start()
            if rounds > 10:
                time.sleep(0.3)  # the next one comes before this one signs
            else:
                wait_until(lambda: kid in load.kids or load.refused, "the new key's signature")
            assert not load.refused, load.refused[:3]
        wait_until(lambda: len(key_list(processes[2])) == rounds + 1)
    assert not load.refused, load.refused[:3]
    assert len(load.kids) >= min(rounds, 5)
    assert key_set(processes[0]).content == key_set(processes[1]).content


def test_a_command_killed_at_any_moment_leaves_the_old_ring_or_the_new(start_service):
    service = start_service()
    name, tokens = service.newcomer()
    for delay_ms in range(0, 200, 25):
        command = subprocess.Popen([service.binary, "key", "rotate", "--now"], cwd=service.directory, env=service.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_ms / 1000)  # the moment of the kill is what is varied
        command.kill()
        command.wait()
        tokens = refresh(service, tokens)
        assert verify(service, tokens) == 200
        found = list(key_list(service).values())
        assert [generation for _, generation, _ in found] == list(range(1, len(found) + 1))
        assert [state for _, _, state in found].count("signing") == 1


# ---- revocations, across processes

def test_a_logout_is_known_to_the_other_processes_within_a_second(start_processes):
    first, second = start_processes(2)
    for scope in ("this", "all"):
        def log_out():
            _, tokens = first.newcomer()
            assert verify(second, tokens) == 200
            with first.client() as client:
                assert client.post(f"/logout?scope={scope}", headers=bearer(tokens)).status_code == 204
            return tokens

        def be_refused(tokens):
            assert verify(first, tokens) == 401
            wait_until(lambda: verify(second, tokens) == 401, "the other process's refusal")

        in_time(1.5, log_out, be_refused)


@pytest.mark.sqlite
def test_a_process_that_cannot_follow_says_so_and_heals(start_service):
    service = start_service(REVOCATION_MAX_LAG=2, METRICS_PORT=free_port())
    path = service.directory / "var" / "doorward.db"
    _, tokens = service.newcomer()
    with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as database:
        database.execute("ALTER TABLE revocations RENAME TO hidden")

        def unready():
            with service.client() as client:
                answer = client.get("/readyz")
            return answer if answer.status_code == 503 and not answer.json()["checks"]["revocations"] else None

        answer = wait_until(unready, "readyz 503")
        assert answer.json()["detail"]["revocation_lag_ms"] > 2000
        assert int(re.search(r"^doorward_revocation_lag_ms (\d+)$", service.metrics(), re.M)[1]) > 2000
        assert verify(service, tokens) == 200
        database.execute("ALTER TABLE hidden RENAME TO revocations")
    wait_until(lambda: unready() is None, "readyz 200")
