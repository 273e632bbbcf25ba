"""The image: built with buildah from the Dockerfile, and used. It needs root; `./dev test image` runs it."""
import contextlib
import json
import os
import pathlib
import signal
import ssl
import stat
import subprocess

import httpx
import pytest
import yaml

import mongo
import servers
from service import PASSWORD, PATIENCE_S, ROOT, free_port, random_master_key, unique_name, wait_until

BUILD = ROOT / "tests" / "image" / "build"
USER = 65532
DATA = "var/lib/doorward"
PROGRAM = "/usr/bin/doorward"
MAX_MEGABYTES = 100
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers without a daemon need root here")


def buildah(*words):
    return subprocess.run([BUILD, "buildah", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def image():
    """Its name, built."""
    with open(ROOT / "build-logs" / "image.log", "wb") as log:
        done = subprocess.run([BUILD], stdout=log, stderr=subprocess.STDOUT)
    assert done.returncode == 0, pathlib.Path(log.name).read_text()[-4000:]
    return "localhost/doorward"


@contextlib.contextmanager
def container_of(image):
    name = buildah("from", "--pull=never", image).strip()
    try:
        yield name
    finally:
        buildah("rm", name)


@pytest.fixture
def container(image):
    with container_of(image) as name:
        yield name


@pytest.fixture(scope="session")
def root(image, tmp_path_factory):
    """A copy of its files."""
    copy = tmp_path_factory.mktemp("root") / "root"
    with container_of(image) as name:
        subprocess.run(["cp", "-a", buildah("mount", name).strip(), copy], check=True)
    return copy


def in_chroot(root, data, *words, secrets=None, **settings):
    """The program as a container runtime would run it: another user, a root that nobody can write to, and one volume; `secrets` is
    a directory of files that it is given."""
    script = """
        mkdir -p "$1/proc" "$1/dev/shm" "$1/run/secrets" && mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" &&
            mount -t proc proc "$1/proc" && mount -t tmpfs none "$1/dev/shm" && mount --bind "$2" "$1/$3" || exit 125
        [ -z "$4" ] || mount --bind "$4" "$1/run/secrets" || exit 125
        root=$1 place=/$3; shift 4
        exec setpriv --no-new-privs unshare --root="$root" --wd="$place" --setgid=65532 --setuid=65532 "$@"
    """
    environment = [f"{name}={value}" for name, value in settings.items()]
    return ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN=127.0.0.1", *environment,
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", root, data, DATA, secrets or "", PROGRAM,
            *words]


@pytest.fixture
def volume(tmp_path):
    place = tmp_path / "volume"
    place.mkdir(mode=0o700)
    os.chown(place, USER, USER)
    return place


@contextlib.contextmanager
def serving(command, port, data):
    """The service that this command starts, once it is ready: a client and its process id."""
    def client():
        context = ssl.create_default_context(cafile=data / "var" / "tls.crt")
        return httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, timeout=PATIENCE_S)

    def ready():
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(OSError, httpx.HTTPError), client() as c:
            return c.get("/readyz").status_code == 200

    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(ready, "the container's readiness")
        with client() as c:
            yield c, served_by(process.pid)
        os.kill(int(served_by(process.pid)), signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, process.communicate()
    finally:
        if pid := served_by(process.pid):
            os.kill(int(pid), signal.SIGKILL)
        process.kill()
        process.wait()


def served_by(pid):
    """The process of the program: this one, or one that it started."""
    name, children = "", []
    with contextlib.suppress(OSError):
        process = pathlib.Path(f"/proc/{pid}")
        name = (process / "comm").read_text().strip()
        children = [child for of_thread in process.glob("task/*/children") for child in of_thread.read_text().split()]
    if name == "doorward":
        return pid
    return next(filter(None, map(served_by, children)), None)


def log_in(client):
    account = {"username": unique_name(), "password": PASSWORD}
    assert client.post("/register", json=account).status_code == 201
    tokens = client.post("/login", json=account).json()
    for path in "/verify", "/profile", "/sessions":
        assert client.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"}).status_code == 200, path


def identity(pid):
    """User ids and capabilities of a process."""
    fields = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return set(fields["Uid"].split()) | set(fields["Gid"].split()), int(fields["CapEff"], 16)


def test_a_user_registers_and_logs_in_and_the_health_check_agrees(container, volume):
    port = free_port()
    run = [BUILD, "buildah", "run", "--isolation", "chroot", "--volume", f"{volume}:/{DATA}", "--env", f"PORT={port}", container,
           "--", PROGRAM]
    with serving([*run, "serve"], port, volume) as (client, pid):
        log_in(client)
        assert identity(pid) == ({str(USER)}, 0)
        subprocess.run([*run, "health", "--ready"], check=True, capture_output=True)
    assert subprocess.run([*run, "health", "--ready"], capture_output=True).returncode != 0


def test_it_serves_from_a_root_that_nobody_can_write_to_and_writes_into_its_volume_alone(root, volume):
    port = free_port()
    with serving(in_chroot(root, volume, "serve", PORT=port), port, volume) as (client, pid):
        log_in(client)
        assert identity(pid) == ({str(USER)}, 0)
    assert {path.name for path in volume.iterdir()} == {"var"}
    assert stat.S_IMODE((volume / "var").stat().st_mode) == 0o700


@pytest.fixture
def master_key():
    return random_master_key()


@pytest.fixture
def db_uri():
    """Of a replica set of the same name as in compose."""
    kind = servers.find()
    if kind is None or not kind.data_is_ours:
        pytest.skip("there is none here; tests/mongo/setup brings a server")
    with servers.running(kind) as server, mongo.proxy_for(server) as proxy:
        yield proxy.uri("doorward")


@pytest.mark.parametrize("name", ["doorward-sqlite", "doorward"])
def test_what_compose_starts_logs_a_user_in(root, volume, tmp_path, request, name):
    service = COMPOSE["services"][name]
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o711)
    for secret in service["secrets"]:
        place = secrets / secret
        place.write_text(request.getfixturevalue(secret))
        place.chmod(0o400)
        os.chown(place, USER, USER)
    port = free_port()
    with serving(in_chroot(root, volume, "serve", secrets=secrets, PORT=port, **service["environment"]), port, volume) as (client, _):
        log_in(client)


def test_the_pages_are_in_it(root, volume):
    port = free_port()
    with serving(in_chroot(root, volume, "serve", PORT=port), port, volume) as (client, _):
        for path in "/app/", "/docs/", "/openapi.yaml":
            assert client.get(path).status_code == 200, path


def test_the_mongodb_backend_loads_and_says_in_one_line_that_nobody_answers(root, volume):
    command = in_chroot(root, volume, "user", "list", DB_URI="mongodb://127.0.0.1:1/doorward", MASTER_KEY=random_master_key())
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode not in (0, 125) and len(done.stderr.splitlines()) == 1, done
    assert "127.0.0.1:1" in done.stderr and "could not be loaded" not in done.stderr


def test_a_secret_as_kubernetes_mounts_it_is_taken(root, volume):
    """A link to a file of root's, which the group reads."""
    hidden = volume / "..data"
    hidden.mkdir()
    (hidden / "master-key").write_text(random_master_key())
    (hidden / "master-key").chmod(0o440)
    os.chown(hidden / "master-key", 0, USER)
    (volume / "master-key").symlink_to("..data/master-key")
    command = in_chroot(root, volume, "config", "--check", MASTER_KEY_FILE=f"/{DATA}/master-key")
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def everything(root):
    for path in root.rglob("*"):
        yield path, path.lstat()


def test_there_is_no_other_program_in_it(root):
    programs = {path.relative_to(root) for path, s in everything(root) if stat.S_ISREG(s.st_mode) and s.st_mode & 0o111}
    others = {path for path in programs if ".so" not in path.name}
    assert others == {pathlib.Path(PROGRAM.lstrip("/"))}


def test_its_user_owns_the_place_for_data_and_can_write_nowhere_else(root):
    owned = {str(path.relative_to(root)) for path, s in everything(root) if s.st_uid or s.st_gid}
    assert {path for path in owned if not path.startswith(DATA)} == set() and DATA in owned
    assert not [path for path, s in everything(root) if not stat.S_ISLNK(s.st_mode) and s.st_mode & 0o6022]


def test_it_is_small(root, capsys):
    size = sum(s.st_size for _, s in everything(root) if stat.S_ISREG(s.st_mode)) / 1e6
    with capsys.disabled():
        print(f"\nthe image holds {size:.1f} MB")
    assert size < MAX_MEGABYTES


def test_it_says_what_it_is_and_how_to_run_it(image):
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == f"{USER}:{USER}" and config["WorkingDir"] == f"/{DATA}" and config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == [PROGRAM] and config["Cmd"] == ["serve"]
    assert config["Volumes"].keys() == {f"/{DATA}"} and config["ExposedPorts"].keys() == {"8443/tcp"}
    assert config["Healthcheck"]["Test"] == ["CMD", PROGRAM, "health", "--ready"]
    assert config["Labels"]["org.opencontainers.image.title"] == "Doorward"
    assert config["Labels"]["org.opencontainers.image.version"]
