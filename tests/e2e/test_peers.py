"""The servers of bench/peers check what Doorward checks: else a comparison with them would mean nothing."""
import os
import shutil
import subprocess
import sys
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from service import BINARY, PASSWORD, PATIENCE_S, ROOT, Service, claims_of
from test_middleware import changed, flipped

sys.path.append(str(ROOT / "bench"))
from suites import peers  # noqa: E402

OWN = "a-key-of-the-test"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A running service, a token of it, and a key of the test's own beside its keys."""
    service = Service(tmp_path_factory.mktemp("peers")).start()
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    key_set = peers.key_set_of(service)
    key_set["keys"].append({**public, "kid": OWN, "alg": "ES256", "use": "sig"})
    yield service, service.newcomer()[1]["access_token"], key, key_set
    assert service.stop() == 0


@pytest.fixture(params=peers.ALL, ids=lambda peer: peer.name)
def client(world, request):
    service, good, _, key_set = world
    if not request.param.is_built:
        pytest.skip(f"{request.param.name} is not here; bench/peers/setup builds it where its toolchain can be had")
    with peers.serving(request.param, service, key_set, claims_of(good)) as (url, _):
        with httpx.Client(base_url=url, verify=service.tls(), timeout=PATIENCE_S) as client:
            yield client


def ask(client, token):
    answer = client.get("/verify", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.headers.get("x-auth-user")


def test_a_peer_accepts_our_token_and_refuses_all_that_is_wrong_with_one(world, client):
    _, good, key, _ = world
    signed = lambda key_id=OWN, with_key=key, **members: jwt.encode(
        {name: value for name, value in {**claims_of(good), **members}.items() if value is not None}, with_key, "ES256", {"kid": key_id})
    bad = {
        "expired": signed(exp=int(time.time()) - 3600), "without an end": signed(exp=None),
        "of another audience": signed(aud="another"), "of another issuer": signed(iss="https://stranger.example"),
        "of an unknown key": signed("unknown"), "of another's key": signed(with_key=ec.generate_private_key(ec.SECP256R1())),
        "with a flipped signature": flipped(good), "with other claims": changed(good, 1, sub="x"),
        "without an algorithm": changed(good, 0, alg="none").rsplit(".", 1)[0] + ".",
        "by another algorithm": jwt.encode(claims_of(good), "s" * 64, "HS256", {"kid": OWN}),
        "no token": "x.y.z",
    }
    assert ask(client, good) == ask(client, signed()) == (200, claims_of(good)["sub"])
    assert {what: ask(client, token) for what, token in bad.items()} == dict.fromkeys(bad, (401, None))
    assert client.get("/verify").status_code == 401


def test_a_peer_knows_the_right_password(client):
    ask_with = lambda password: client.post("/login", json={"username": "ann", "password": password}).status_code
    assert (ask_with(PASSWORD), ask_with(PASSWORD + "!")) == (200, 401)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(not any(peer.is_built for peer in peers.ALL) or not shutil.which("wrk"), reason="no peer is built, or there is no wrk")
def test_the_suite_measures_every_peer_that_is_there():
    done = subprocess.run([sys.executable, ROOT / "bench" / "run.py", "peers", "--smoke"], capture_output=True, text=True,
                          env={**os.environ, "BENCH_BUILD": str(BINARY.parent)}, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for peer in peers.ALL:
        assert (done.stdout.count(f"\n{peer.name} ") == 2) == peer.is_built, done.stdout
