"""A mix of clients over several services, what each asked and was answered, and a check that it hangs together.

Clients record; check() is a pure function of the record and of what the database holds at the end. A client that gets no
answer, or 503, does not know what became of its request: it asks again, at any service, until it is told.
"""
import base64
import collections
import contextlib
import dataclasses
import random
import ssl
import statistics
import threading
import time
import typing
import uuid

import httpx

from service import PASSWORD, bearer, claims_of, unique_name

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
# Half a second's round of following revocations, its database call, and this machine's pauses.
ELSEWHERE_S = 1.0
PAUSES_S = 1.0
RECOVERY_S = 5.0
RECOVERY_STEPS = 10  # questions to the database that a recovery is made of, each as slow as the machine is just then
REQUEST_TIMEOUT_S = 15


def parts_of(refresh_token):
    """Session and counter of a refresh token."""
    raw = base64.urlsafe_b64decode(refresh_token + "=" * (-len(refresh_token) % 4))
    return str(uuid.UUID(bytes=raw[5:21])), int.from_bytes(raw[21:29], "big")


@dataclasses.dataclass
class Event:
    kind: str  # register, login, refresh, verify, logout
    client: int
    service: int
    started: float
    ended: float
    outcome: str
    code: str = ""
    name: str = ""     # register, login
    sid: str = ""      # all others
    token: str = ""    # refresh: what was presented
    child: str = ""    # login, refresh: what was given


class Recovery(typing.NamedTuple):
    what: str
    seconds: float  # from the end of the fault to the first answers
    usual: float    # seconds that the same answers took right afterwards


class History:
    def __init__(self):
        self.events, self.faults, self.recoveries = [], [], []
        self.failures = []  # of the recorder itself

    def add(self, **members):
        event = Event(**members)
        self.events.append(event)  # one step under the interpreter's lock
        return event

    @contextlib.contextmanager
    def fault(self, what):
        """The time in which the database or a service is away, its way back included."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.faults.append((what, started, time.monotonic()))

    def of(self, kind, outcome=None):
        return [e for e in self.events if e.kind == kind and outcome in (None, e.outcome)]

    def slowest(self, begin, end):
        """The seconds of the slowest answer in this time."""
        return max((e.ended - e.started for e in self.events if e.started < end and begin < e.ended), default=0)

    def summary(self):
        return dict(collections.Counter(f"{e.kind} {e.outcome}" for e in self.events))

    def times_of_recoveries(self):
        """What to print: how long after each kind of fault, and what an answer took then."""
        times = collections.defaultdict(list)
        for recovery in sorted(self.recoveries):
            times[recovery.what].append((round(recovery.seconds, 1), round(recovery.usual, 2)))
        return dict(times)


# ---- clients

class Session:
    def __init__(self, sid, access_token, refresh_token):
        self.sid, self.access_token, self.refresh_token = sid, access_token, refresh_token


class Client:
    """One user agent after another: each action is repeated until its outcome is known."""
    MAX_SESSIONS = 3

    def __init__(self, index, services, history, stop):
        self.index, self.services, self.history, self.stop = index, services, history, stop
        self.random = random.Random(index)
        self.names, self.living, self.ended = [], [], []
        # Plain HTTP; authorities that are not asked need not be read.
        self.https = [httpx.Client(base_url=s.url, timeout=REQUEST_TIMEOUT_S, verify=False) for s in services]

    def close(self):
        for one in self.https:
            one.close()

    def ask(self, at, method, path, **options):
        """The answer, or None: there was none, or it does not tell."""
        with contextlib.suppress(httpx.HTTPError, OSError, ssl.SSLError):
            answer = self.https[at].request(method, path, **options)
            return None if answer.status_code == 503 else answer
        return None

    def once(self, kind, method, path, **options):
        """One request, as an event that is not yet in the history, and its answer."""
        at, started = self.random.randrange(len(self.services)), time.monotonic()
        answer = self.ask(at, method, path, **options)
        body = answer.json() if answer is not None and answer.content else {}
        outcome = UNKNOWN if answer is None else OK if answer.is_success else REFUSED
        event = Event(kind, self.index, at, started, time.monotonic(), outcome, code=body.get("code", ""))
        return event, body

    def until_known(self, kind, method, path, members, **options):
        while True:
            event, body = self.once(kind, method, path, **options)
            for member, value in members.items():
                setattr(event, member, value)
            if event.outcome != UNKNOWN:
                return event, body
            self.history.events.append(event)
            time.sleep(0.05 + self.random.random() * 0.2)  # as a client would; no test waits for this

    def register(self):
        name = unique_name()
        event, _ = self.until_known("register", "POST", "/register", {"name": name},
                                    json={"username": name, "password": PASSWORD})
        if event.code == "user_exists":  # an earlier try was made: names are this client's own
            event.outcome = OK
        self.history.events.append(event)
        self.names.append(name)

    def login(self):
        name = self.random.choice(self.names)
        event, body = self.until_known("login", "POST", "/login", {"name": name},
                                       json={"username": name, "password": PASSWORD})
        if event.outcome == OK:
            event.child = body["refresh_token"]
            event.sid = claims_of(body["access_token"])["sid"]
            self.living.append(Session(event.sid, body["access_token"], body["refresh_token"]))
        self.history.events.append(event)

    def ask_refresh(self, session):
        token = session.refresh_token
        event, body = self.until_known("refresh", "POST", "/refresh-token", {"sid": session.sid, "token": token},
                                       json={"refresh_token": token})
        event.child = body.get("refresh_token", "")
        self.history.events.append(event)
        return body if event.outcome == OK else None

    def refresh(self, session):
        body = self.ask_refresh(session)
        if body:
            session.access_token, session.refresh_token = body["access_token"], body["refresh_token"]
        else:
            self.living.remove(session)

    def refresh_twice(self, session):
        """As two tabs of one browser do: both with the same token."""
        first, second = self.ask_refresh(session), self.ask_refresh(session)
        if first and second:
            session.access_token, session.refresh_token = second["access_token"], second["refresh_token"]
        else:
            self.living.remove(session)

    def logout(self, session):
        event, _ = self.until_known("logout", "POST", "/logout", {"sid": session.sid},
                                    headers=bearer({"access_token": session.access_token}))
        if event.code == "token_revoked":  # an earlier try was made
            event.outcome = OK
        self.history.events.append(event)
        self.living.remove(session)
        self.ended.append(session)

    def verify(self, session):
        event, _ = self.once("verify", "GET", "/verify", headers=bearer({"access_token": session.access_token}))
        event.sid = session.sid
        self.history.events.append(event)

    def act(self):
        if not self.names or self.random.random() < 0.05:
            self.register()
        elif len(self.living) < self.MAX_SESSIONS and self.random.random() < 0.3:
            self.login()
        elif self.ended and self.random.random() < 0.2:
            session = self.random.choice(self.ended[-3:])
            self.random.choice([self.verify, self.ask_refresh])(session)
        elif self.living:
            session = self.random.choice(self.living)
            choices = [self.refresh] * 5 + [self.refresh_twice, self.verify, self.logout]
            self.random.choice(choices)(session)

    def run(self):
        try:
            while not self.stop.is_set():
                self.act()
                time.sleep(self.random.random() * 0.1)  # think time
            for session in list(self.living):  # whoever lives must be able to go on
                self.refresh(session)
            for session in self.ended[-5:]:
                self.ask_refresh(session)
        except Exception as error:  # told by the test
            self.history.failures.append(f"client {self.index}: {error!r}")


@contextlib.contextmanager
def clients_over(services, count):
    """The history that `count` clients make while the body runs, and to its end."""
    history, stop = History(), threading.Event()
    clients = [Client(i, services, history, stop) for i in range(count)]
    threads = [threading.Thread(target=one.run) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield history
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for one in clients:
            one.close()


# ---- the check

@dataclasses.dataclass
class Final:
    """What the database holds at the end: names as often as they are there, sessions as counter and whether they ended."""
    names: collections.Counter
    sessions: dict  # sid: (counter, is_revoked)


def final_of(database):
    names = collections.Counter(user["username"] for user in database.users.find({"deleted_at": None})
                                if "username" in user)
    sessions = {str(s["_id"]): (s["counter"], s.get("revoked_at") is not None) for s in database.sessions.find()}
    return Final(names, sessions)


def check(history, final):
    """The violations, each a sentence; none: all hangs together."""
    by_session = collections.defaultdict(list)
    for event in history.events:
        if event.sid:
            by_session[event.sid].append(event)
    problems = [*history.failures, *check_users(history, final), *check_recoveries(history)]
    for sid, events in by_session.items():
        problems += check_heads(sid, events)
        problems += check_end(sid, events, history)
        problems += check_life(sid, events)
        problems += check_record(sid, events, final.sessions.get(sid))
    return problems


def check_users(history, final):
    for event in history.of("register", OK):
        if final.names[event.name] != 1:
            yield f"{event.name} was registered and is there {final.names[event.name]} times"
    for event in history.of("register", REFUSED):
        yield f"{event.name} was refused: {event.code}"
    for event in history.of("login", REFUSED):
        yield f"{event.name} exists and could not log in: {event.code}"


def check_recoveries(history):
    """By the median, and by how long the same question takes when nothing is wrong: a busy machine is not the service's fault."""
    for what in sorted({recovery.what for recovery in history.recoveries}):
        those = [recovery for recovery in history.recoveries if recovery.what == what]
        median = statistics.median(recovery.seconds for recovery in those)
        usual = statistics.median(recovery.usual for recovery in those)
        if median > RECOVERY_S + RECOVERY_STEPS * usual:
            yield f"the service came back {median:.1f} s after {what} was over; {usual:.2f} s is usual for an answer"


def check_heads(sid, events):
    """Every counter of a session has one token, and every token one child."""
    tokens, children = collections.defaultdict(set), collections.defaultdict(set)
    for event in events:
        if event.child:
            tokens[parts_of(event.child)[1]].add(event.child)
        if event.kind == "refresh" and event.outcome == OK:
            children[event.token].add(event.child)
    for counter, found in tokens.items():
        if len(found) > 1:
            yield f"session {sid} has {len(found)} heads at {counter}"
    for token, found in children.items():
        if len(found) > 1 or any(parts_of(child)[1] != parts_of(token)[1] + 1 for child in found):
            yield f"session {sid}: a token of {parts_of(token)[1]} has the children {sorted(parts_of(c)[1] for c in found)}"


def is_near_a_fault(event, faults):
    return any(start <= event.ended and event.started <= end + ELSEWHERE_S + PAUSES_S for _, start, end in faults)


def check_end(sid, events, history):
    """After an acknowledged logout nothing of the session works: at once where the store is asked, in a second elsewhere, and by
    as much later as this machine stood still meanwhile, which some answer has then shown."""
    ends = [e for e in events if e.kind == "logout" and e.outcome == OK]
    if not ends:
        return
    ended = min(ends, key=lambda e: e.ended)
    for event in events:
        late = event.started - ended.ended
        if event.outcome != OK or late <= 0:
            continue
        if event.kind == "refresh":
            yield f"session {sid} was refreshed {late:.2f} s after its logout"
        if event.kind == "verify" and not is_near_a_fault(event, history.faults) \
                and late > ELSEWHERE_S + PAUSES_S + history.slowest(ended.ended, event.ended):
            yield f"session {sid} was alive at service {event.service} {late:.2f} s after its logout"


def check_life(sid, events):
    """Before anybody has asked for its end, a session is not refused."""
    ends = [e.started for e in events if e.kind == "logout"]
    first_end = min(ends, default=float("inf"))
    for event in events:
        if event.kind in ("refresh", "verify") and event.outcome == REFUSED and event.ended < first_end:
            yield f"session {sid} lives, and its {event.kind} was refused: {event.code}"
        if event.kind == "logout" and event.outcome == REFUSED:
            yield f"session {sid} could not be logged out: {event.code}"


def check_record(sid, events, record):
    """The record is at the newest acknowledged counter, or one further where an answer was lost."""
    known = [parts_of(e.child)[1] for e in events if e.child]
    if not known:
        return
    if record is None:
        yield f"session {sid} was acknowledged and is not there"
        return
    counter, is_revoked = record
    tried = [parts_of(e.token)[1] + 1 for e in events if e.kind == "refresh"]
    if not max(known) <= counter <= max(known + tried):
        yield f"session {sid} is at {counter}, acknowledged was {max(known)}"
    logouts = [e for e in events if e.kind == "logout"]
    if any(e.outcome == OK for e in logouts) and not is_revoked:
        yield f"session {sid} was logged out and is not revoked"
    if is_revoked and not logouts:
        yield f"session {sid} is revoked and nobody asked for it"
