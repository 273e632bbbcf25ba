"""The time of a refused login does not tell why it was refused.

An attacker sends guesses and looks at the clock: who has an account, who is disabled, whose hash is old? Here he has
the best conditions: the same machine, no TLS, one connection that stays open, nobody else on the service.

Refusals of each class are measured in rounds, one of each class in a random order, so that what the machine does beside
it hits all alike. No sample is left out. Two classes are compared by the AUC, the chance that a sample of the one took
longer than one of the other (Mann-Whitney): 0.5 tells nothing, and further from it than AUC_MARGIN is a leak.

The control: one class more, wrong passwords, of which each answer is held back in this program for 5 % of the median
before the clock is read. (In the service it cannot be planted: the next dearer hash takes twice as long.) The same
comparison must find it, or this test would find nothing else.

After LOOK samples a class, and again after each LOOK more up to MAX_SAMPLES, it is judged on all samples so far; it passes at the
first look where no pair of classes differs and the planted one does. Chance moves an AUC by 0.013 after the first 1,000 samples a class
and by 0.006 after 4,000, and a busy machine hides the planted one: more samples mend both, the margin stays.
"""
import base64
import gc
import hashlib
import itertools
import json
import os
import random
import socket
import sqlite3
import statistics
import time

import pytest

from service import PASSWORD, PATIENCE_S, unique_name

AUC_MARGIN = 0.04
PLANTED = 0.05
LOOK = 1000
MAX_SAMPLES = 4000
ACCOUNTS = 5  # a class: each fails MAX_SAMPLES / ACCOUNTS times, which LOGIN_ATTEMPTS must allow
WARM_UP = 40
COST = 6
GUESS = "not the password"


def auc(a, b):
    """The chance that one of `b` is more than one of `a`; equal ones count half."""
    ranked = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    wins, smaller, at = 0.0, 0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        of_b = sum(which for _, which in ranked[at:end])
        of_a = end - at - of_b
        wins += of_b * (smaller + of_a / 2)
        smaller += of_a
        at = end
    return wins / (len(a) * len(b))


def test_the_auc_is_what_its_definition_says():
    rng = random.Random(3)
    a, b = ([rng.randrange(12) for _ in range(n)] for n in (40, 55))
    by_definition = sum((y > x) + (y == x) / 2 for x in a for y in b) / (len(a) * len(b))
    assert auc(a, b) == pytest.approx(by_definition) and auc(a, a) == 0.5 and auc([1, 2], [3]) == 1


def account(service, **members):
    name = unique_name()
    service.register(username=name, email=f"{name}@example.org", **members)
    return name


def import_hash(service, names, password):
    """Gives stopped accounts a hash of passlib's form for PBKDF2, which is quick to compute."""
    text = lambda data: base64.b64encode(data).decode().rstrip("=").replace("+", ".")
    salt, iterations = b"sixteen bytes---", 1000
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = f"$pbkdf2-sha256${iterations}${text(salt)}${text(digest)}"
    database = sqlite3.connect(service.directory / "var" / "doorward.db")
    with database:
        database.executemany("UPDATE users SET password_hash = ? WHERE username = ?", [(stored, name) for name in names])
    database.close()


def people(service):
    """ACCOUNTS names of each class. Leaves the service at COST, with accounts of a cheaper hash in it."""
    cheaper, imported = ([account(service) for _ in range(ACCOUNTS)] for _ in range(2))
    service.stop()
    import_hash(service, imported, PASSWORD)
    service.settings["BCRYPT_COST"] = str(COST)
    service.start()
    classes = {
        "unknown": [unique_name() for _ in range(ACCOUNTS)],
        "wrong password": [account(service) for _ in range(ACCOUNTS)],
        "disabled": [account(service) for _ in range(ACCOUNTS)],
        "cheaper hash": cheaper,
        "imported hash": imported,
        "pre-hashed": [account(service, password="long " * 20) for _ in range(ACCOUNTS)],
        "planted": [account(service) for _ in range(ACCOUNTS)],
    }
    for name in classes["disabled"]:
        service.cli("user", "disable", name)
    return classes


def request_for(name, number):
    """By every way to name an account in turn; one round names all classes in the same way."""
    members = [{"username": name}, {"email": f"{name}@example.org"}, {"identifier": name}][number % 3]
    body = json.dumps({**members, "password": GUESS}).encode()
    return (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def measure(connection, request, held_back_ns=0):
    start = time.perf_counter_ns()
    connection.sendall(request)
    answer = connection.recv(65536)
    end = time.perf_counter_ns() + held_back_ns
    while held_back_ns and time.perf_counter_ns() < end:
        pass
    took = time.perf_counter_ns() - start
    assert answer.startswith(b"HTTP/1.1 401 ") and answer.endswith(b"}"), answer
    return took


def add_samples(connection, classes, samples, count, rng):
    for _ in range(count):
        number = len(samples["planted"])
        held_back = int(PLANTED * statistics.median(samples["wrong password"][-2 * LOOK:] or [0]))
        for name in rng.sample(sorted(classes), len(classes)):
            request = request_for(classes[name][number % ACCOUNTS], number)
            samples[name].append(measure(connection, request, held_back if name == "planted" else 0))


def judge(samples):
    """What is wrong, in words; empty when all is well."""
    real = [name for name in samples if name != "planted"]
    found = {pair: auc(samples[pair[0]], samples[pair[1]]) for pair in itertools.combinations(real, 2)}
    problems = [f"{a} and {b} differ: AUC {value:.3f}" for (a, b), value in found.items() if abs(value - 0.5) > AUC_MARGIN]
    planted = auc(samples["wrong password"], samples["planted"])
    if planted < 0.5 + AUC_MARGIN:
        problems.append(f"the planted difference was not found: AUC {planted:.3f}")
    return problems


@pytest.mark.timeout(600)
def test_refusals_of_every_kind_take_the_same_time_and_a_planted_difference_is_found(new_service):
    service = new_service(binary=os.environ.get("DOORWARD_RELEASE"), scheme="http", TLS="off", LOG_LEVEL="warn",
                          LOGIN_ATTEMPTS=1000, REFUSAL_PAUSE_MS=0)
    classes = people(service.start())
    samples = {name: [] for name in classes}
    rng = random.Random(20)
    gc.collect()
    gc.disable()
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            add_samples(connection, classes, samples, WARM_UP, rng)
            for kept in samples.values():
                del kept[:-1]  # one is left, for the first median
            problems = ["never looked"]
            while problems and len(samples["planted"]) < MAX_SAMPLES:
                add_samples(connection, classes, samples, LOOK, rng)
                problems = judge(samples)
    finally:
        gc.enable()
    medians = {name: f"{statistics.median(times) / 1e6:.3f} ms" for name, times in samples.items()}
    assert not problems, f"{'; '.join(problems)}; medians of {len(samples['planted'])} samples a class: {medians}"
