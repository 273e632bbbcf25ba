"""A real doorward process in a directory of its own, and ways to talk to it."""
import base64
import contextlib
import itertools
import json
import os
import pathlib
import queue
import random
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import httpx

import contract
from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("DOORWARD", ROOT / "build" / "doorward"))
# Start-up under sanitizers on a busy machine is slow; nothing waits this long when all is well.
PATIENCE_S = 60
# A machine that stands still for seconds is no reason to refuse a request; tests of these limits set their own.
PATIENT = {
    "LOGIN_DEADLINE_MS": 60000, "STORE_DEADLINE_MS": 15000, "HANDSHAKE_TIMEOUT": 60, "HEADER_TIMEOUT": 60, "BODY_TIMEOUT": 60,
    "WRITE_TIMEOUT": 60, "MONGO_SELECTION_TIMEOUT_MS": 10000, "MONGO_SOCKET_TIMEOUT_MS": 10000, "MONGO_POOL_WAIT_MS": 10000,
}
PASSWORD = "correct horse battery"
os.environ["no_proxy"] = "*"  # all that tests ask is on this machine, which a proxy of the environment does not reach

numbers = itertools.count(random.randrange(10**9))


def unique_name():
    return f"user-{next(numbers)}-{os.getpid()}"


def random_master_key():
    return base64.b64encode(os.urandom(32)).decode()


def wait_until(condition, what="the condition", patience_s=PATIENCE_S):
    """Polls, since the other side is another process; fails by name when it takes too long."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {patience_s} s")
        time.sleep(0.02)


class Clock:
    """The wall clock of the services that are started with its `settings`: a test moves it while they run."""

    def __init__(self, directory, ahead_s=0):
        library, self.file = directory / "clock.so", directory / "clock"
        self.move(ahead_s)
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/e2e/clock.c"], check=True)
        self.settings = {"LD_PRELOAD": library, "CLOCK_FILE": self.file,
                         "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def move(self, ahead_s):
        with open(self.file, "r+b" if self.file.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("=q", ahead_s))


def in_time(limit_s, prepare, act, tries=15):
    """The outcome of the first act(prepare()) whose act took less than this. Where a limit of the service's may have passed in the
    middle, the outcome shows nothing."""
    for _ in range(tries):
        prepared = prepare()
        before = time.monotonic()
        outcome = act(prepared)
        if time.monotonic() - before < limit_s:
            return outcome
    raise AssertionError(f"{tries} times this took {limit_s} s or more")


def slowed(guess, tries=12):
    """The statuses of wrong guesses until one is refused for its wait. Each wait is twice the last: where this machine stood still
    until one was over, the next one is not."""
    statuses = []
    while 429 not in statuses and len(statuses) < tries:
        statuses.append(guess())
    assert statuses[-1] == 429, statuses
    return statuses


class Service:
    """`patient`: with the limits above, else with the program's own."""

    def __init__(self, directory, binary=None, scheme="https", patient=True, **settings):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.binary = pathlib.Path(binary or BINARY)
        self.scheme = scheme
        self.port = int(settings.pop("PORT", 0)) or free_port()
        self.settings = {
            "DEVELOPMENT": "1",
            "BCRYPT_COST": "4",
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
            **{name: None if value is None else str(value) for name, value in ({**PATIENT, **settings} if patient else settings).items()},
        }
        self.process = None
        self.lines = []
        self._reader = None

    # ---- life

    @property
    def environment(self):
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG") or k.endswith("SAN_OPTIONS")}
        return {**keep, **{k: v for k, v in self.settings.items() if v is not None}}

    def launch(self, *arguments, stderr=subprocess.PIPE, **popen):
        """Start without waiting."""
        self.process = subprocess.Popen(
            [self.binary, "serve", *arguments], cwd=self.directory, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=open(self.directory / "stdout.txt", "ab"), stderr=stderr, **popen)
        if self.process.stderr:
            self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
            self._reader.start()
        return self

    def start(self, *arguments, **popen):
        self.launch(*arguments, **popen)
        wait_until(self._answers, "the service's readiness")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            self._reader.join()
            raise AssertionError(f"doorward ended with {self.process.returncode}: {self.stderr}")
        with contextlib.suppress(httpx.HTTPError, OSError, ssl.SSLError):
            with self.client() as client:
                return client.get("/readyz").status_code == 200
        return False

    def _read(self, pipe):
        for line in pipe:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def stop(self, signal_number=signal.SIGTERM):
        """Ends the process (signal None: it is ending) and gives its exit code; a sanitizer's finding is an error."""
        if self.process is None:
            return None
        if signal_number is not None and self.process.poll() is None:
            self.process.send_signal(signal_number)
        code = self.process.wait(PATIENCE_S)
        if self._reader:
            self._reader.join()
        self.process = None
        for word in ("Sanitizer", "runtime error:", "invariant"):
            assert not any(word in line for line in self.lines), "\n".join(self.lines[-60:])
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    # ---- what it said

    @property
    def stderr(self):
        return "\n".join(self.lines)

    @property
    def events(self):
        events = []
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                events.append(json.loads(line))
        return events

    def wait_for_event(self, **fields):
        def find():
            return [e for e in self.events if all(e.get(k) == v for k, v in fields.items())]
        return wait_until(find, f"the event {fields}")[-1]

    # ---- talking to it

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def certificate(self):
        return self.settings.get("TLS_CERT") or self.directory / "var" / "tls.crt"

    def tls(self):
        context = ssl.create_default_context()
        context.load_verify_locations(self.certificate)
        return context

    def client(self, **options):
        verify = self.tls() if self.scheme == "https" else False
        hooks = {"response": [contract.on_response]}
        return httpx.Client(base_url=self.url, verify=verify, timeout=PATIENCE_S, event_hooks=hooks, **options)

    @contextlib.contextmanager
    def raw(self):
        """A bare socket under TLS: what is sent is what arrives."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as plain:
            if self.scheme != "https":
                yield plain
                return
            with self.tls().wrap_socket(plain, server_hostname="localhost") as secure:
                yield secure

    def exchange(self, request):
        """Send these bytes, give all that comes until the other side closes."""
        with self.raw() as connection:
            connection.sendall(request)
            answer = read_all(connection)
        check_contract(request, answer)
        return answer

    def metrics(self):
        return httpx.get(f"http://127.0.0.1:{self.settings['METRICS_PORT']}/metrics", timeout=PATIENCE_S).text

    def cli(self, *arguments, stdin="", code=0):
        done = subprocess.run([self.binary, *arguments], cwd=self.directory, env=self.environment, input=stdin,
                              capture_output=True, text=True, timeout=4 * PATIENCE_S)  # `calibrate` computes for seconds
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    # ---- accounts

    def served(self, path, make_members, status):
        """The answer, and what it answers. Asked again after a 503, as a client would: limits that a test makes short also meet a
        machine that stands still."""
        def ask():
            members = make_members()
            with self.client() as client:
                answer = client.post(path, json=members)
            return answer.status_code != 503 and (answer, members)

        answer, members = wait_until(ask, f"an answer of {path}")
        assert answer.status_code == status, answer.text
        return answer, members

    def register(self, **members):
        return self.served("/register", lambda: {"username": unique_name(), "password": PASSWORD, **members}, 201)[1]

    def login(self, username, password=PASSWORD, **members):
        return self.served("/login", lambda: {"username": username, "password": password, **members}, 200)[0].json()

    def newcomer(self):
        """A new account, logged in: its name and its tokens."""
        name = self.register()["username"]
        return name, self.login(name)


def read_all(connection):
    received = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := connection.recv(65536):
            received += piece
    return received


def read_answer(connection, pending=b""):
    """One whole answer: status, headers (lower case), body, and what came behind it."""
    while b"\r\n\r\n" not in pending:
        piece = connection.recv(65536)
        assert piece, f"closed in the middle of a head: {pending!r}"
        pending += piece
    head, _, rest = pending.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(rest) < length:
        piece = connection.recv(65536)
        assert piece, "closed in the middle of a body"
        rest += piece
    return int(first.split()[1]), headers, rest[:length], rest[length:]


def check_conditional(service, path, tag):
    """A document with this tag: what of If-None-Match, in one line or several, says that the client has it."""
    has = [(tag,), (f"W/{tag}",), ("*",), (f'"a, b",  W/{tag} ,"c"',), ('"a"', tag), (tag, '"a"'), ('"a"', "", f'"b",W/{tag}')]
    lacks = [('"a"',), ('"a"', 'W/"b"'), ("",), ("W/*",), (tag.strip('"'),)]
    with service.raw() as connection:
        for lines in has + lacks:
            fields = "".join(f"If-None-Match: {line}\r\n" for line in lines)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
            status, headers, body, _ = read_answer(connection)
            contract.CONTRACT.check("GET", path, status, headers, body)
            assert status == (304 if lines in has else 200) and headers["etag"] == tag, lines
            assert (body == b"") == (lines in has), lines


def check_contract(request, answer):
    """Holds the first answer to these bytes against openapi.yaml, when there is one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = request.split(b"\r\n", 1)[0].split(b" ")
    if not head.startswith(b"HTTP/1.1 ") or len(words) != 3:
        return
    headers = {n.strip().lower(): v.strip() for n, _, v in (l.partition(":") for l in head.decode("latin-1").split("\r\n")[1:])}
    length = int(headers.get("content-length", 0))
    target = words[1].decode("latin-1").split("?")[0]
    contract.CONTRACT.check(words[0].decode("latin-1"), target, status_of(answer), headers, body[:length])


def status_of(answer):
    """The status of the first answer in these bytes; None where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def verify(client, tokens):
    """The status of /verify for this access token."""
    return client.get("/verify", headers=bearer(tokens)).status_code


def refresh(client, token):
    return client.post("/refresh-token", json={"refresh_token": token})


def child_of(client, token):
    """The answer of a refresh that must succeed."""
    answer = refresh(client, token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def in_parallel(count, action):
    """Run action(index) in `count` threads that begin together; their results in order."""
    barrier = threading.Barrier(count)
    results = queue.Queue()

    def run(index):
        barrier.wait()
        try:
            results.put((index, action(index), None))
        except Exception as error:  # handed to the test's thread
            results.put((index, None, error))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gathered = sorted((results.get() for _ in threads), key=lambda r: r[0])
    for _, _, error in gathered:
        if error:
            raise error
    return [value for _, value, _ in gathered]
