"""Several services on one database: what one does, all know. The letters are those of DESIGN section 5."""
import base64
import contextlib
import threading
import time

import httpx
import pytest

import mongo
from service import PASSWORD, PATIENCE_S, Clock, bearer, child_of, claims_of, in_parallel, in_time, refresh, verify, wait_until

pytestmark = pytest.mark.mongo

WITHIN_S = 1 + 1.0  # a second, and this machine's usual pauses
OFFSETS_S = (-15, 0, 15)  # of clocks that are half a minute apart
# Races that one run may win by luck.
rounds = pytest.mark.parametrize("round_", [0, *(pytest.param(i, marks=pytest.mark.long) for i in (1, 2))])


@pytest.fixture(scope="module")
def three(make, new_store):
    settings = new_store()
    services = [make(settings) for _ in range(3)]
    in_parallel(3, lambda i: services[i].start())
    yield services
    for one in services:
        assert one.stop() == 0


@pytest.fixture
def clients(three):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one.client()) for one in three]


def wait_for_refusal(clients, tokens):
    """By every service."""
    for client in clients:
        wait_until(lambda: verify(client, tokens) == 401, "the refusal")


# ---- starting

@rounds
def test_three_that_start_at_once_on_an_empty_database_agree(start_services, mongo_server, round_):
    services = start_services(3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(one.client()) for one in services]
        keys = {client.get("/.well-known/jwks.json").content for client in clients}
        assert len(keys) == 1 and b'"kid"' in keys.pop()
        _, tokens = services[0].newcomer()
        assert [verify(client, tokens) for client in clients] == [200] * 3
    with mongo.looking_at(mongo_server, mongo.database_of(services[0].settings["DB_URI"])) as database:
        assert database["keys"].count_documents({}) == 1
        unique = {name: index for name, index in database.users.index_information().items() if index.get("unique")}
        assert len(unique) == 2 and all("partialFilterExpression" in index for index in unique.values())


@rounds
def test_rings_of_two_that_start_at_the_same_instant_never_differ(start_services, round_):
    first, second = start_services(2, JWT_ALG="EdDSA")
    _, tokens = first.newcomer()
    with second.client() as client:
        assert verify(client, tokens) == 200


# ---- refreshing

@rounds
def test_a_parallel_refreshes_at_three_services_give_one_child(three, round_):
    _, tokens = three[0].newcomer()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(three[i % 3].client()) for i in range(15)]
        children = in_parallel(15, lambda i: child_of(clients[i], tokens["refresh_token"])["refresh_token"])
        assert len(set(children)) == 1
        assert refresh(clients[1], children[0]).status_code == 200


def test_b_a_retry_elsewhere_gives_the_same_child(three, clients):
    token = three[0].newcomer()[1]["refresh_token"]
    children = [child_of(client, token)["refresh_token"] for client in clients]
    assert len(set(children)) == 1


def test_c_a_grandparent_at_one_service_ends_the_session_at_all(three, clients):
    _, tokens = three[0].newcomer()
    child = child_of(clients[1], tokens["refresh_token"])
    grandchild = child_of(clients[2], child["refresh_token"])
    assert [verify(client, grandchild) for client in clients] == [200] * 3
    assert refresh(clients[0], tokens["refresh_token"]).json()["code"] == "refresh_token_reused"
    for client in clients:
        assert refresh(client, grandchild["refresh_token"]).json()["code"] == "invalid_refresh_token"
    wait_for_refusal(clients, grandchild)


def test_c_d_the_window_counts_from_the_first_use_whoever_was_asked(start_services):
    services = start_services(3, REFRESH_GRACE=1)
    token = services[0].newcomer()[1]["refresh_token"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(one.client()) for one in services]
        child = child_of(clients[0], token)
        answers = []
        while not answers or answers[-1].status_code == 200:
            answers.append(refresh(clients[len(answers) % 3], token))
        assert answers[-1].json()["code"] == "refresh_token_reused"
        assert {a.json()["refresh_token"] for a in answers[:-1]} <= {child["refresh_token"]}
        assert all(refresh(c, child["refresh_token"]).json()["code"] == "invalid_refresh_token" for c in clients)


@rounds
@pytest.mark.parametrize("how", ["logout", "password"])
def test_e_an_end_at_one_service_wins_over_refreshes_at_others(three, how, round_):
    name, tokens = three[0].newcomer()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(three[i % 3].client()) for i in range(9)]

        def act(index):
            if index:
                return refresh(clients[index], tokens["refresh_token"])
            if how == "logout":
                return clients[0].post("/logout", headers=bearer(tokens))
            own = three[0].login(name)
            return clients[0].post("/password", headers=bearer(own),
                                   json={"current_password": PASSWORD, "new_password": PASSWORD + "!"})

        answers = in_parallel(9, act)
        assert answers[0].status_code == 204, answers[0].text
        for answer in answers[1:]:
            if answer.status_code == 200:
                assert all(refresh(one, answer.json()["refresh_token"]).status_code == 401 for one in clients[:3])
                wait_for_refusal(clients[:3], answer.json())
            else:
                assert answer.status_code == 401


def test_f_clocks_half_a_minute_apart_change_nothing(make, new_store, tmp_path_factory):
    grace = 5
    shared = {**new_store(), "REFRESH_GRACE": grace}
    clocks = [Clock(tmp_path_factory.mktemp("clock"), offset) for offset in OFFSETS_S]
    services = [make({**shared, **clock.settings}).start() for clock in clocks]
    with contextlib.ExitStack() as stack:
        for one in services:
            stack.callback(one.stop)
        clients = [stack.enter_context(one.client()) for one in services]
        for first in range(3):
            _, tokens = services[first].newcomer()
            issued = claims_of(tokens["access_token"])["iat"]
            assert abs(issued - time.time() - OFFSETS_S[first]) < 10
            assert [verify(client, tokens) for client in clients] == [200] * 3
            tokens, children = in_time(grace, lambda: services[first].newcomer()[1], lambda tokens: (
                tokens, [refresh(client, tokens["refresh_token"]) for client in clients]))
            assert len({child.json()["refresh_token"] for child in children}) == 1
            for claims in (claims_of(child.json()["access_token"]) for child in children):
                assert claims["auth_time"] <= claims["iat"]
            answers = []
            while not answers or answers[-1].status_code == 200:  # the window ends for all of them
                answers.append(refresh(clients[len(answers) % 3], tokens["refresh_token"]))
            assert answers[-1].json()["code"] == "refresh_token_reused"


def test_h_junk_never_reaches_the_database(make, mongo_server):
    with mongo.proxy_for(mongo_server) as proxy:
        uri = proxy.uri(mongo.unique_database(), **mongo.QUICK)
        service = make({"DB_URI": uri}).start()
        token = service.newcomer()[1]["refresh_token"]
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        before = proxy("status")["counts"].get("findAndModify", 0)
        with service.client() as client:
            for position in range(0, len(raw) * 8, 7):
                junk = bytearray(raw)
                junk[position // 8] ^= 1 << position % 8
                refused = refresh(client, base64.urlsafe_b64encode(bytes(junk)).rstrip(b"=").decode())
                assert refused.json()["code"] == "invalid_refresh_token"
            # A refresh is one findAndModify; what runs beside it is not.
            assert proxy("status")["counts"].get("findAndModify", 0) == before
            assert refresh(client, token).status_code == 200
            assert proxy("status")["counts"]["findAndModify"] == before + 1
        service.stop()


# ---- ending

@pytest.mark.parametrize("scope", ["this", "others", "all"])
def test_a_logout_is_known_everywhere_within_a_second(three, clients, scope):
    def log_out():
        name, tokens = three[0].newcomer()
        other = three[1].login(name)
        assert [verify(c, t) for c in clients for t in (tokens, other)] == [200] * 6
        assert clients[0].post(f"/logout?scope={scope}", headers=bearer(tokens)).status_code == 204
        return tokens, {"this": [tokens], "others": [other], "all": [tokens, other]}[scope]

    def be_refused(ended):
        for one in ended[1]:
            assert verify(clients[0], one) == 401
            wait_for_refusal(clients, one)
        return ended

    tokens, gone = in_time(WITHIN_S, log_out, be_refused)
    assert [refresh(clients[2], one["refresh_token"]).status_code for one in gone] == [401] * len(gone)
    if scope == "others":
        assert [verify(client, tokens) for client in clients] == [200] * 3


def test_sessions_are_listed_and_ended_from_any(three, clients):
    name, tokens = three[0].newcomer()
    others = [three[1].login(name), three[2].login(name)]
    lists = [{s["id"] for s in c.get("/sessions", headers=bearer(tokens)).json()["sessions"]} for c in clients]
    assert lists[0] == lists[1] == lists[2] == {claims_of(t["access_token"])["sid"] for t in (tokens, *others)}
    ended = claims_of(others[0]["access_token"])["sid"]
    assert clients[2].delete(f"/sessions/{ended}", headers=bearer(tokens)).status_code == 204
    wait_for_refusal(clients, others[0])
    assert all(ended not in c.get("/sessions", headers=bearer(tokens)).text for c in clients)


def test_a_disabled_user_is_out_everywhere(three, clients):
    name, tokens = three[1].newcomer()
    assert [verify(client, tokens) for client in clients] == [200] * 3
    three[0].cli("user", "disable", name)
    wait_for_refusal(clients, tokens)
    assert all(refresh(client, tokens["refresh_token"]).status_code in (401, 403) for client in clients)


# ---- a rolling restart

class Refresher(threading.Thread):
    """Refreshes at one service after another; one that is away or going away is passed over."""
    def __init__(self, services, index):
        super().__init__()
        self.services, self.index, self.refused, self.count = services, index, [], 0
        self.tokens = services[index % len(services)].newcomer()[1]
        self.over = threading.Event()

    def run(self):
        turn = self.index
        while not self.over.is_set():
            turn += 1
            service = self.services[turn % len(self.services)]
            with contextlib.suppress(httpx.HTTPError, OSError):
                with httpx.Client(base_url=service.url, timeout=PATIENCE_S, verify=False) as client:
                    self.refresh_at(client)

    def refresh_at(self, client):
        answer = refresh(client, self.tokens["refresh_token"])
        if answer.status_code == 200:
            self.tokens, self.count = answer.json(), self.count + 1
        else:
            self.refused.append(answer.text)
            time.sleep(0.05)


def test_a_rolling_restart_under_load_fails_no_refresh(start_services):
    # Who was not answered asks again with the same token, maybe late.
    services = start_services(3, TLS="off", scheme="http", REFRESH_GRACE=300)
    load = [Refresher(services, i) for i in range(6)]
    for one in load:
        one.start()
    for service in services:
        seen = sum(one.count for one in load)
        wait_until(lambda: sum(one.count for one in load) > seen + 12, "refreshes")
        service.restart()
    for one in load:
        one.over.set()
        one.join()
    assert [one.refused for one in load] == [[]] * 6
    assert all(one.count > 0 for one in load)
