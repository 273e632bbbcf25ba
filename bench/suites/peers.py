"""The same API as others would write it: Rust's axum on rustls, Go's net/http, node's Fastify and Express.

Small servers in bench/peers, on all cores, with Doorward's certificate and key set: GET /verify checks the signature, key
id, issuer, audience and expiry of an ES256 token, each time, as such programs do; POST /login checks a password with
the language's usual bcrypt, and no more, where Doorward also keeps a session and signs a token. All servers run and take
turns. Doorward remembers tokens that it verified; so it is there a second time, without that.
"""
import collections
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import typing

from common import (Goal, PEERS, RELEASE, figure, free_port, listening, pinned, plus_minus, pss_kb, ratio, run, running, say,
                    scratch, table)
from service import PASSWORD, claims_of
from suites import verify

COST, SMOKE_COST = 10, 4
PASSWORD_HASHES = {  # of PASSWORD
    COST: "$2b$10$JsBFLaDuOMl3AqvExdfLQee5uQHm6Y5KJu5J.Jm9f835GfDkaVboC",
    SMOKE_COST: "$2b$04$zn0Wv2uKS6fVyg8kTqRhIe3mRs5Vl.RqfA5wPEpekaRBgEy6s6V4y",
}
OURS, COLD = "Doorward", "Doorward, cache off"
LOGIN_CONNECTIONS = 16
USERS = 32  # a user's oldest session gives way to the fifty-first

LOGIN = """
local bodies = {}
function init(args)
  for body in io.lines(args[1]) do bodies[#bodies + 1] = body end
end
function request()
  return wrk.format("POST", "/login", {["Content-Type"] = "application/json"}, bodies[math.random(#bodies)])
end
"""


# ---- the peers

class Peer(typing.NamedTuple):
    name: str
    command: tuple
    stamp: str  # written once it was built and ran

    @property
    def is_built(self):
        return (PEERS / self.stamp).exists() and self.command[-1].exists()


def node(name):
    version = pinned("peers/node/package.json", rf'"{name}": "([0-9.]+)"')
    return Peer(f"{name.title()} {version}, node", ("node", PEERS / "node" / f"{name}.js"), "node.stamp")


ALL = (Peer(f"axum {pinned('peers/rust/Cargo.toml', r'axum = .*?=([0-9.]+)')}, rustls", (PEERS / "rust/serve",), "rust.stamp"),
       Peer("Go net/http", (PEERS / "go/serve",), "go.stamp"), node("fastify"), node("express"))


def built():
    for peer in ALL:
        if not peer.is_built:
            say(f"{peer.name}: is not there, left out")
    return [peer for peer in ALL if peer.is_built]


@contextlib.contextmanager
def serving(peer, service, key_set, claims, cost=SMOKE_COST):
    """The peer on the service's certificate, for tokens of this issuer, audience and key set: its URL and pid."""
    port, var = free_port(), service.directory / "var"
    keys = service.directory / "jwks.json"
    keys.write_text(json.dumps(key_set))
    settings = {"PORT": port, "TLS_CERT": var / "tls.crt", "TLS_KEY": var / "tls.key", "JWKS": keys, "ISSUER": claims["iss"],
                "AUDIENCE": claims["aud"], "PASSWORD_HASH": PASSWORD_HASHES[cost], "NODE_ENV": "production"}
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    with listening(peer.command, port, env=environment, stderr=subprocess.DEVNULL) as served:  # Go tells of every EOF
        yield served


def key_set_of(service):
    with service.client() as client:
        return client.get("/.well-known/jwks.json").json()


# ---- measuring

class Side(typing.NamedTuple):
    name: str
    url: str
    pid: int
    token: pathlib.Path  # the file with what /verify is asked with


@contextlib.contextmanager
def doorward(name, directory, cost, **settings):
    """A service with somebody's token, and the token's file."""
    with running(directory / name, BCRYPT_COST=cost, LOGIN_ATTEMPTS=1000, **settings) as service:
        token = service.newcomer()[1]["access_token"]
        file = directory / f"{name}-token"
        file.write_text(f"{token}\n")
        yield service, token, file


@contextlib.contextmanager
def all_sides(directory, peers, cost):
    """Every server, running; of Doorward two."""
    with contextlib.ExitStack() as stack:
        service, token, file = stack.enter_context(doorward("cached", directory, cost))
        cold, _, cold_file = stack.enter_context(doorward("cold", directory, cost, TOKEN_CACHE_BYTES=0))
        keys, names = key_set_of(service), [service.register()["username"] for _ in range(USERS)]
        (directory / "logins").write_text("".join(f"{json.dumps({'username': name, 'password': PASSWORD})}\n" for name in names))
        yield [Side(OURS, service.url, service.process.pid, file), Side(COLD, cold.url, cold.process.pid, cold_file),
               *(Side(peer.name, *stack.enter_context(serving(peer, service, keys, claims_of(token), cost)), file)
                 for peer in peers)]


def in_turns(sides, rounds, measure_one):
    """Name -> what each round found."""
    found = collections.defaultdict(list)
    for _ in range(rounds):
        for side in sides:
            found[side.name].append(measure_one(side))
    return dict(found)


class Client:
    def __init__(self, directory, seconds, count):
        self.directory, self.seconds, self.count = directory, seconds, count
        for name, text in (("verify", verify.VERIFY), ("login", LOGIN)):
            (directory / f"{name}.lua").write_text(text)

    def verify(self, side):
        return verify.load(side.url, side.pid, self.seconds, self.directory / "verify.lua", side.token, 1)

    def login(self, side):
        return verify.load(side.url, side.pid, self.seconds, self.directory / "login.lua", self.directory / "logins",
                           connections=LOGIN_CONNECTIONS)

    def handshake(self, side):
        """The processor time is of one process, so none of node's."""
        return json.loads(run(RELEASE.program, "conns", side.url, "--insecure", "--path", "/verify", "--pid", side.pid,
                              "--count", self.count, "--rest", "0ms", "--json", "-"))["full"]


def compare(found):
    """Name -> medians, the least processor time, and how many times its rate Doorward's is, within each round."""
    rates = {name: [r["per_second"] for r in rounds] for name, rounds in found.items()}
    refused = {name: sum(r.get("refused", 0) for r in rounds) for name, rounds in found.items()}
    if any(refused.values()):
        raise SystemExit(f"bench: requests were refused: {refused}")
    return {name: {"per_second": statistics.median(rates[name]), "server_us": min(r["server_us"] for r in rounds),
                   "p99_ms": statistics.median(r.get("p99_ms", 0) for r in rounds),
                   "times": {ours: ratio(rates[ours], rates[name]) for ours in (OURS, COLD) if ours in rates}}
            for name, rounds in found.items()}


def measure(how):
    seconds, rounds, count, cost = (1, 1, 50, SMOKE_COST) if how.smoke else (2, 5, 400, COST)
    with scratch() as directory:
        client = Client(directory, seconds, count)
        with all_sides(directory, built(), cost) as sides:
            once = [side for side in sides if side.name != COLD]
            results = {"verify": compare(in_turns(sides, rounds, client.verify)),
                       "memory": {side.name: pss_kb(side.pid) / 1024 for side in sides},
                       "handshakes": compare(in_turns(once, rounds, client.handshake)),
                       "logins": compare(in_turns(once, rounds, client.login))}
    return results | {"cost": cost}


# ---- telling

def times(entry, ours=OURS):
    return f"{entry['times'][ours]['median']:.2f} ±{plus_minus(entry['times'][ours])}"


def tell(r):
    verified = [(f"/verify, {verify.CONNECTIONS} connections", "requests/s", "Doorward is", "cache off", "p99 ms", "server µs", "PSS MB")]
    for name, f in r["verify"].items():
        verified.append((name, figure(f["per_second"]), times(f), times(f, COLD), f"{f['p99_ms']:.1f}", figure(f["server_us"]),
                         figure(r["memory"][name])))
    others = [("full handshakes and logins", "handshakes/s", "Doorward is", "server µs", "logins/s", "Doorward is", "p99 ms")]
    for name, f in r["handshakes"].items():
        login = r["logins"][name]
        others.append((name, figure(f["per_second"]), times(f), "-" if "node" in name else figure(f["server_us"]),
                       figure(login["per_second"]), times(login), f"{login['p99_ms']:.0f}"))
    return (f"{table(verified)}\n{table(others)}\nDoorward is: times the row's rate, within each round. µs: processor time of one. "
            f"Logins: bcrypt cost {r['cost']}, {LOGIN_CONNECTIONS} connections; the peers only check the password")


def goals(r):
    """Ahead of each: so of the one that comes closest."""
    found = []
    for what, entries, ours in (("/verify", r["verify"], OURS), ("/verify, cache off", r["verify"], COLD),
                                ("full handshakes", r["handshakes"], OURS), ("logins", r["logins"], OURS)):
        others = {name: f["times"][ours]["median"] for name, f in entries.items() if name not in (OURS, COLD)}
        if others:
            closest = min(others, key=others.get)
            found.append(Goal(f"{what}, in times of the best peer's", others[closest], 1, at_least=True, also=closest))
    return found
