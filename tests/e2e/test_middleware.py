"""Stock JWT middleware of four languages verifies our tokens, knowing nothing but the issuer's URL."""
import base64
import contextlib
import json
import os
import subprocess
import sys
import time

import httpx
import jwt
import pytest

from service import PATIENCE_S, ROOT, Service, claims_of, free_port, wait_until

SOURCES = ROOT / "tests" / "e2e" / "middleware"
BUILT = ROOT / "build-middleware"  # by tests/e2e/setup
AUDIENCE = "doorward"
# JWT_ALG and JWT_TYP. Nimbus, and Spring with it, takes the type JWT alone unless told otherwise.
KINDS = [("ES256", "at+jwt"), ("ES256", "JWT"), ("EdDSA", "at+jwt"), ("RS256", "JWT"), ("PS256", "at+jwt")]


def skip_without(name, path):
    if not path.exists():
        pytest.skip(f"{name} is not here; `./dev setup test` builds it where its toolchain and packages can be had")
    return path


def pyjwt(service):
    return [sys.executable, SOURCES / "python" / "verify.py"], {"SSL_CERT_FILE": service.certificate}


def jose_for_node(service):
    skip_without("jose for Node", BUILT / "node.stamp")
    return ["node", BUILT / "node" / "verify.mjs"], {"NODE_EXTRA_CA_CERTS": service.certificate}


def golang_jwt(service):
    return [skip_without("golang-jwt", BUILT / "verify-go")], {"SSL_CERT_FILE": service.certificate}


def nimbus(service):
    classes = skip_without("Nimbus", BUILT / "java.stamp").parent / "java"
    trusted = service.directory / "trusted.p12"
    if not trusted.exists():
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "doorward", "-file", service.certificate,
                        "-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit"],
                       check=True, capture_output=True, timeout=PATIENCE_S)
    return ["java", "-XX:TieredStopAtLevel=1", f"-Djavax.net.ssl.trustStore={trusted}",
            "-Djavax.net.ssl.trustStorePassword=changeit", "-cp", f"{classes}:{classes}/nimbus-jose-jwt.jar", "Verify"], {}


def verdicts(middleware, service, tokens):
    command, extra = middleware(service)
    environment = {"PATH": os.environ["PATH"], **{name: str(value) for name, value in extra.items()}}
    done = subprocess.run([*command, service.url, AUDIENCE, service.settings["JWT_ALG"]], env=environment, text=True,
                          input="".join(f"{token}\n" for token in tokens), capture_output=True, timeout=PATIENCE_S)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == len(tokens), done.stdout + done.stderr
    return lines


def token_with(service, **settings):
    """One of the same keys, from a process with other settings."""
    before = dict(service.settings)
    service.settings.update(settings)
    service.start()
    token = service.newcomer()[1]["access_token"]
    service.stop()
    service.settings = before
    return token


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(token, part, **members):
    """With other members in its header (0) or payload (1), under the old signature."""
    parts = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    parts[part] = base64url(json.dumps({**old, **members}).encode())
    return ".".join(parts)


def flipped(token):
    head, payload, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[len(raw) // 2] ^= 1
    return f"{head}.{payload}.{base64url(raw)}"


@pytest.fixture(scope="module")
def issue(tmp_path_factory):
    """issue(JWT_ALG, JWT_TYP): a running service, a good token of it, and bad ones by name; each kind made once."""
    made = {}
    services = []

    def of(algorithm, type_):
        if (algorithm, type_) in made:
            return made[algorithm, type_]
        port = free_port()
        service = Service(tmp_path_factory.mktemp(algorithm), PORT=port, PUBLIC_URL=f"https://127.0.0.1:{port}",
                          JWT_ALG=algorithm, JWT_TYP=type_)
        services.append(service)
        expired = token_with(service, JWT_EXPIRY="1")
        elsewhere = token_with(service, JWT_AUDIENCE="another")
        stranger = token_with(service, JWT_ISSUER="https://stranger.example")
        good = service.start().newcomer()[1]["access_token"]
        bad = {
            "expired": expired, "of another audience": elsewhere, "of another issuer": stranger,
            "with a flipped signature": flipped(good), "with other claims": changed(good, 1, sub="x"),
            "without an algorithm": changed(good, 0, alg="none").rsplit(".", 1)[0] + ".",
            "of an unknown key": changed(good, 0, kid="unknown"),
            "by another algorithm": jwt.encode(claims_of(good), "s" * 64, "HS256", {"kid": jwt.get_unverified_header(good)["kid"]}),
            "empty": "", "cut short": good[:-1],
        }
        time.sleep(max(0.0, claims_of(expired)["exp"] + 0.1 - time.time()))
        made[algorithm, type_] = service, good, bad
        return made[algorithm, type_]

    yield of
    assert [service.stop() for service in services] == [0] * len(services)


@pytest.mark.parametrize("middleware, algorithm, type_",
                         [(middleware, *kind) for middleware in (pyjwt, jose_for_node, golang_jwt, nimbus) for kind in KINDS
                          if middleware is not nimbus or "JWT" in kind])
def test_stock_middleware_accepts_our_tokens_and_refuses_all_others(issue, middleware, algorithm, type_):
    service, good, bad = issue(algorithm, type_)
    assert jwt.get_unverified_header(good)["alg"] == algorithm and jwt.get_unverified_header(good)["typ"] == type_
    said = dict(zip(["good", *bad], verdicts(middleware, service, [good, *bad.values()])))
    assert said.pop("good") == f"good {claims_of(good)['sub']}"
    assert all(verdict.startswith("bad ") for verdict in said.values()), said


def test_nimbus_refuses_the_type_of_the_standard_unless_it_is_told(issue):
    service, good, _ = issue("ES256", "at+jwt")
    assert verdicts(nimbus, service, [good])[0].startswith("bad ")


def express(service, port):
    skip_without("Express", BUILT / "node.stamp")
    return ["node", BUILT / "node" / "express.mjs"], {"NODE_EXTRA_CA_CERTS": service.certificate, "PORT": port}


def fastapi(service, port):
    return [sys.executable, "-m", "uvicorn", "--app-dir", SOURCES / "python", "--port", str(port), "--log-level", "warning",
            "fastapi_app:app"], {"SSL_CERT_FILE": service.certificate}


@contextlib.contextmanager
def running(application, service):
    """An API of which the documentation shows every line, in front of which nobody verifies."""
    port = free_port()
    command, extra = application(service, port)
    environment = {"PATH": os.environ["PATH"], "ISSUER": service.url, "AUDIENCE": AUDIENCE, "ALGORITHM": service.settings["JWT_ALG"],
                   **{name: str(value) for name, value in extra.items()}}
    process = subprocess.Popen(command, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            def answers():
                assert process.poll() is None, "it has ended"
                with contextlib.suppress(httpx.TransportError):
                    return client.get("/me").status_code
            assert wait_until(answers, "the application's first answer") == 401
            yield client
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("application", [express, fastapi])
def test_an_application_of_the_documentation_serves_who_is_logged_in_and_nobody_else(issue, application):
    service, good, bad = issue("ES256", "at+jwt")
    with running(application, service) as client:
        answer = client.get("/me", headers={"Authorization": f"Bearer {good}"})
        assert answer.json() == {"id": claims_of(good)["sub"], "roles": []}
        for why, token in bad.items():
            refused = client.get("/me", headers={"Authorization": f"Bearer {token}".strip()})
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer", why
