"""Credentials, rights and TLS between the service and MongoDB; and that no text of a client becomes a query."""
import contextlib
import datetime
import ipaddress
import os
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import mongo
from service import PASSWORD, bearer, random_master_key, unique_name
from x509_gate import Gate

pytestmark = pytest.mark.mongo

NAME, SECRET = "door", "p:w/d@1 %41"


def refused(service, *words):
    """The start fails with one line that says these words, and never the secret."""
    service.lines.clear()
    service.launch()
    assert service.stop(None) in (1, 2)
    assert len(service.lines) == 1, service.lines
    assert all(word in service.lines[0] for word in words), service.lines
    for form in (SECRET, quoted(SECRET), urllib.parse.quote(SECRET)):
        assert form not in service.stderr
    return service.lines[0]


# ---- who may do what

@pytest.fixture(scope="module")
def guarded(mongo_server):
    """A server of our own that asks for a name and a password, with users of several rights on the database doorward."""
    if mongo_server.name not in ("secantus", "secantus-python"):
        pytest.skip("users and rights are set up for SecantusDB only")
    with mongo.running(type(mongo_server)) as server:
        with server.client() as client:
            admin, own = client.admin, client.doorward
            admin.command("createUser", "root", pwd="root", roles=["root"])
            own.command("createUser", NAME, pwd=SECRET, roles=[{"role": "readWrite", "db": "doorward"},
                                                               {"role": "dbAdmin", "db": "doorward"}])
            own.command("createUser", "reader", pwd=SECRET, roles=[{"role": "read", "db": "doorward"}])
        server.stop()
        server.flags = ("--auth",)
        yield server.start()


def quoted(text):
    return urllib.parse.quote(text, safe="")


def uri_as(server, name, secret, **options):
    credentials = f"{quoted(name)}:{quoted(secret)}"
    return f"mongodb://{credentials}@{server.host}/doorward?" + urllib.parse.urlencode(options)


def test_scram_sha_256_with_a_password_of_odd_letters(guarded, new_service):
    # Each connection costs the test's server seconds; and where it stands still meanwhile, libmongoc says that it refused.
    uri = uri_as(guarded, NAME, SECRET, authMechanism="SCRAM-SHA-256")
    service = mongo.supervise(new_service(DB_URI=uri, MONGO_POOL=2))
    name, tokens = service.newcomer()
    with service.client() as client:
        assert client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code == 200
    shown = service.cli("config").stdout
    assert "DB_URI" in shown and guarded.host in shown
    guarded.kill()
    with service.client() as client:
        assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 503
    guarded.start()
    service.wait_for_event(level="error")
    for form in (SECRET, quoted(SECRET), "p%3Aw"):
        assert form not in shown and form not in service.stderr


@pytest.mark.parametrize("name, secret", [(NAME, "guessed"), ("nobody", SECRET)])
def test_wrong_credentials_are_one_line(guarded, new_service, name, secret):
    service = new_service(DB_URI=uri_as(guarded, name, secret))
    assert secret not in refused(service, "DB_URI", "credentials")


def test_no_credentials_are_one_line(guarded, new_service):
    refused(new_service(DB_URI=guarded.uri("doorward")), "DB_URI")


def test_a_user_who_may_only_read_is_one_line(guarded, new_service):
    refused(new_service(DB_URI=uri_as(guarded, "reader", SECRET)), "DB_URI")


# ---- TLS

def write_certificate(path, name, issuer=None, authority=False, minutes=60):
    """A key and a certificate signed by `issuer` (or by itself) in one file; the pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
              .issuer_name(issuer[1].subject if issuer else subject).serial_number(x509.random_serial_number())
              .not_valid_before(now - datetime.timedelta(minutes=5))
              .not_valid_after(now + datetime.timedelta(minutes=minutes))
              .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
              .add_extension(x509.SubjectAlternativeName(names), critical=False)
              .sign(issuer[0] if issuer else key, hashes.SHA256()))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = signed.public_bytes(serialization.Encoding.PEM)
    path.with_suffix(".key").write_bytes(private)
    path.with_suffix(".crt").write_bytes(public)
    path.with_suffix(".pem").write_bytes(private + public)
    return key, signed


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    place = tmp_path_factory.mktemp("certificates")
    authority = write_certificate(place / "ca", "test authority", authority=True)
    write_certificate(place / "server", "localhost", authority)
    write_certificate(place / "client", "doorward", authority)
    write_certificate(place / "somebody", "somebody", authority)
    stranger = write_certificate(place / "other-ca", "another authority", authority=True)
    write_certificate(place / "stranger", "stranger", stranger)
    return place


@contextlib.contextmanager
def over_tls(mongo_server, certificates, *flags):
    if mongo_server.name != "secantus":
        pytest.skip("TLS is set up for SecantusDB only")
    with mongo.running(type(mongo_server), "--tls-cert-file", certificates / "server.crt",
                       "--tls-key-file", certificates / "server.key", *flags) as server:
        yield server


@pytest.fixture(scope="module")
def tls_server(mongo_server, certificates):
    with over_tls(mongo_server, certificates) as server:
        yield server


@pytest.fixture(scope="module")
def strict_server(mongo_server, certificates):
    """One that asks for a client's certificate."""
    with over_tls(mongo_server, certificates, "--tls-ca-file", certificates / "ca.crt",
                  "--tls-require-client-cert") as server:
        yield server


def check_works(service):
    _, tokens = service.newcomer()
    with service.client() as client:
        assert client.get("/profile", headers=bearer(tokens)).status_code == 200


def test_tls_with_the_authoritys_file(tls_server, start_service, certificates):
    check_works(start_service(DB_URI=tls_server.uri("doorward", tls=True, tlsCAFile=certificates / "ca.crt")))


@pytest.mark.parametrize("options", [{"tls": True}, {"tls": True, "tlsCAFile": "other-ca.crt"}, {}])
def test_a_server_that_cannot_prove_itself_is_one_line(tls_server, new_service, certificates, options):
    options = {k: certificates / v if k == "tlsCAFile" else v for k, v in options.items()}
    refused(new_service(DB_URI=tls_server.uri("doorward", **options), MONGO_SELECTION_TIMEOUT_MS=1000), "DB_URI")


def test_a_client_certificate(strict_server, start_service, certificates):
    check_works(start_service(DB_URI=strict_server.uri(
        "doorward", tls=True, tlsCAFile=certificates / "ca.crt", tlsCertificateKeyFile=certificates / "client.pem")))


@pytest.mark.parametrize("pem", [None, "stranger.pem"])
def test_without_the_right_client_certificate_it_is_one_line(strict_server, new_service, certificates, pem):
    options = {"tlsCertificateKeyFile": certificates / pem} if pem else {}
    uri = strict_server.uri("doorward", tls=True, tlsCAFile=certificates / "ca.crt", **options)
    refused(new_service(DB_URI=uri, MONGO_SELECTION_TIMEOUT_MS=1000), "DB_URI")


# ---- the certificate as the credential: MONGODB-X509

@contextlib.contextmanager
def x509_gate(mongo_server, certificates, **options):
    if not (mongo_server.is_set and mongo_server.data_is_ours):
        pytest.skip("the gate stands before a set without rights of its own")
    with Gate(mongo_server, certificates / "server.crt", certificates / "server.key", certificates / "ca.crt",
              users={"CN=doorward"}, **options) as gate:
        yield gate


def uri_by_certificate(gate, certificates, pem):
    return mongo.uri_of(gate.host, mongo.unique_database(), authMechanism="MONGODB-X509", authSource="$external", tls=True,
                        tlsCAFile=certificates / "ca.crt", **({"tlsCertificateKeyFile": certificates / pem} if pem else {}))


@pytest.mark.parametrize("speculates", [True, False])
def test_a_client_certificate_is_the_credential(mongo_server, certificates, start_service, speculates):
    with x509_gate(mongo_server, certificates, speculates=speculates) as gate:
        service = start_service(DB_URI=uri_by_certificate(gate, certificates, "client.pem"))
        check_works(service)
        assert set(gate.said) == {("MONGODB-X509", "CN=doorward", "$external")}
        service.stop()


@pytest.mark.parametrize("pem, words", [("somebody.pem", ["credentials"]), (None, []), ("stranger.pem", [])])
def test_another_certificate_is_no_credential(mongo_server, certificates, new_service, pem, words):
    with x509_gate(mongo_server, certificates) as gate:
        service = new_service(DB_URI=uri_by_certificate(gate, certificates, pem), MONGO_SELECTION_TIMEOUT_MS=1000)
        refused(service, "DB_URI", *words)
        assert gate.said == [("MONGODB-X509", "CN=somebody", "$external")] * len(gate.said)


# ---- texts are texts

QUERIES = [{"$gt": ""}, {"$ne": None}, {"$regex": ".*"}, {"$where": "true"}, ["a"], 5, True, None]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path, member", [("/login", "username"), ("/login", "identifier"), ("/login", "password"),
                                          ("/register", "username"), ("/register", "email"),
                                          ("/refresh-token", "refresh_token")])
def test_what_is_no_text_is_422_and_no_query(service, path, member, query):
    members = {"/login": {"username": "a", "password": PASSWORD}, "/register": {"username": unique_name(), "password": PASSWORD},
               "/refresh-token": {"refresh_token": "a"}}[path]
    if member == "identifier":
        members.pop("username")
    if query is None and member == "email":
        pytest.skip("no email is said so")
    with service.client() as client:
        answer = client.post(path, json={**members, member: query})
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input", answer.text


@pytest.mark.parametrize("name", ["$gt", "{\"$gt\":\"\"}", "$where", "a.b.$c", "$$NOW", "$$ROOT", "$username"])
def test_a_name_that_looks_like_a_query_is_only_a_name(service, name):
    bystander = service.register()["username"]
    with service.client() as client:
        made = client.post("/register", json={"username": name, "password": PASSWORD})
        assert made.status_code in (201, 422)
        entered = client.post("/login", json={"username": name, "password": PASSWORD})
        if made.status_code == 201:
            assert entered.status_code == 200 and entered.json()["user"]["username"] == name
        else:
            assert entered.status_code in (401, 422)
    assert service.login(bystander)


# ---- what must be given

def test_without_a_master_key_the_start_says_how_to_make_one(new_service):
    service = new_service(MASTER_KEY=None)
    assert "openssl rand -base64 32" in refused(service, "MASTER_KEY")
    assert not os.path.exists(service.directory / "var" / "master.key")


def test_a_wrong_master_key_stops_the_start(start_service, new_service):
    service = start_service()
    service.newcomer()
    other = new_service(DB_URI=service.settings["DB_URI"], MASTER_KEY=random_master_key())
    refused(other, "MASTER_KEY")
    check_works(service)
