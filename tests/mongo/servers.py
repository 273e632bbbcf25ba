#!/usr/bin/env python3
"""Servers that speak MongoDB's protocol, started for tests on data of their own.

usage: servers.py name                  which one is taken here
       servers.py run COMMAND...        run this with MONGODB_URI set to one, which ends with it

Taken is what MONGO_SERVER names (given, mongod, secantus, secantus-python, ferretdb), else the first that is there in this
order: a server given by MONGODB_URI; mongod in PATH; SecantusDB, which tests/mongo/setup brings.
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import pymongo
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "e2e"))
from ports import free_port  # noqa: E402

BUILT = HERE.parents[1] / "build-mongo"
PATIENCE_S = 60
SET = "rs0"


class Server:
    """A process on 127.0.0.1 with its data below `directory`; `flags` are its own options."""
    name = None
    needs_dedupe = False  # does not remember what was written by a retryable write
    is_set = True         # drivers see a replica set of one
    data_is_ours = True
    is_single = False     # there can be only one at a time

    def __init__(self, directory, *flags):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.flags, self.port, self.process = flags, free_port(), None

    @classmethod
    def is_here(cls):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def uri(self, database, **options):
        return uri_of(self.host, database, **options)

    def client(self, **options):
        return pymongo.MongoClient(self.host, directConnection=True, serverSelectionTimeoutMS=1000 * PATIENCE_S, **options)

    @functools.cached_property
    def frees_names(self):
        """Is a value free again that a record has given up? SecantusDB in Rust keeps it in a partial unique index."""
        with self.client() as client:
            things = client[f"probe_{os.getpid()}_{self.port}"].things
            things.create_index("name", unique=True, partialFilterExpression={"name": {"$exists": True}})
            things.insert_one({"_id": 1, "name": "a"})
            things.update_one({"_id": 1}, {"$unset": {"name": True}})
            try:
                return things.insert_one({"_id": 2, "name": "a"}).acknowledged
            except DuplicateKeyError:
                return False
            finally:
                client.drop_database(things.database.name)

    def launch(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.directory)

    def start(self):
        self.launch()
        end = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not start: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()


class Secantus(Server):
    name = "secantus"
    program = BUILT / "secantus" / "bin" / "secantusd-rs"

    @classmethod
    def is_here(cls):
        return cls.program.exists()

    def command(self):
        (self.directory / "data").mkdir(exist_ok=True)
        return [self.program, "--host", "127.0.0.1", "--port", str(self.port), "--storage-path", self.directory / "data",
                "--cache-size", "128M", "--enable-test-commands", "--log-level", "WARNING", "--sync-on-commit",
                *self.own_flags, *self.flags]

    own_flags = ("--log-file-max", "16MB")


class SecantusPython(Secantus):
    name = "secantus-python"
    program = BUILT / "secantus-python" / "bin" / "secantusd-py"
    own_flags = ()


class Mongod(Server):
    name = "mongod"

    @classmethod
    def is_here(cls):
        return shutil.which("mongod") is not None

    def command(self):
        (self.directory / "data").mkdir(exist_ok=True)
        return ["mongod", "--dbpath", self.directory / "data", "--port", str(self.port), "--bind_ip", "127.0.0.1",
                "--replSet", SET, "--oplogSize", "128", "--wiredTigerCacheSizeGB", "0.25", "--quiet", *self.flags]

    def answers(self):
        if not super().answers():
            return False
        with self.client() as client, contextlib.suppress(PyMongoError):
            with contextlib.suppress(OperationFailure):  # it is initiated already
                client.admin.command({"replSetInitiate": {"_id": SET, "members": [{"_id": 0, "host": self.host}]}})
            return client.admin.command("hello")["isWritablePrimary"]
        return False


class FerretDB(Server):
    """FerretDB in front of PostgreSQL with DocumentDB, which lives in a root of its own and of which there is one."""
    name = "ferretdb"
    needs_dedupe, is_set, is_single = True, False, True
    program = BUILT / "ferretdb" / "bin" / "ferretdb"
    postgres = HERE / "postgres"

    @classmethod
    def is_here(cls):
        return cls.program.exists() and (BUILT / "ferretdb" / "root" / "etc" / "hosts").exists()

    def __init__(self, directory, *flags):
        super().__init__(directory, *flags)
        self.postgres_port = free_port()

    def launch(self):
        subprocess.run([self.postgres, "start", BUILT / "ferretdb", str(self.postgres_port)], check=True,
                       stdout=subprocess.DEVNULL)
        super().launch()

    def command(self):
        return [self.program, f"--postgresql-url=postgres://postgres@127.0.0.1:{self.postgres_port}/postgres",
                f"--listen-addr={self.host}", "--debug-addr=-", "--telemetry=disable", f"--state-dir={self.directory}",
                "--log-level=ERROR", "--no-auth", *self.flags]

    def end_postgres(self, how):
        subprocess.run([self.postgres, how, BUILT / "ferretdb", str(self.postgres_port)], stdout=subprocess.DEVNULL)

    def kill(self):
        self.end_postgres("kill")
        super().kill()

    def stop(self):
        super().stop()
        self.end_postgres("stop")


class Given(Server):
    """The server that MONGODB_URI names; it is not ours to end."""
    name = "given"
    data_is_ours = False

    def __init__(self, directory, *flags):
        super().__init__(directory, *flags)
        self.given = urllib.parse.urlsplit(os.environ["MONGODB_URI"])
        with self.client() as client:
            hello = client.admin.command("hello")
        self.is_set = "setName" in hello or hello.get("msg") == "isdbgrid"
        self.needs_dedupe = not self.is_set

    @classmethod
    def is_here(cls):
        return bool(os.environ.get("MONGODB_URI"))

    @property
    def host(self):
        return self.given.netloc.rpartition("@")[2].split(",")[0]

    def uri(self, database, **options):
        credentials = self.given.netloc.rpartition("@")[0]
        options = {**dict(urllib.parse.parse_qsl(self.given.query)), **options}
        if credentials:
            options.setdefault("authSource", self.given.path.strip("/") or "admin")
        return uri_of(self.given.netloc, database, scheme=self.given.scheme, **options)

    def client(self, **options):
        return pymongo.MongoClient(os.environ["MONGODB_URI"], serverSelectionTimeoutMS=1000 * PATIENCE_S, **options)

    def start(self):
        return self

    def kill(self):
        raise RuntimeError("the server is not ours")

    def stop(self):
        pass


def uri_of(hosts, database, scheme="mongodb", **options):
    query = urllib.parse.urlencode({k: str(v).lower() if isinstance(v, bool) else v for k, v in options.items()})
    return f"{scheme}://{hosts}/{database}" + (f"?{query}" if query else "")


class Proxy:
    """The fault proxy in front of a server, as a process of its own: one set of three members."""
    def __init__(self, server, members=3):
        self.control_port, *self.ports = [free_port() for _ in range(members + 1)]
        flags = ["--dedupe"] if server.needs_dedupe else []
        self.process = subprocess.Popen(
            [sys.executable, HERE / "fault_proxy.py", server.host, str(self.control_port), *map(str, self.ports),
             "--set", SET, *flags], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the proxy did not start")
        self.control = socket.create_connection(("127.0.0.1", self.control_port)).makefile("rw")
        self.given = server if isinstance(server, Given) else None

    def __call__(self, line):
        """One command; its answer."""
        self.control.write(line + "\n")
        self.control.flush()
        answer = json.loads(self.control.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def uri(self, database, **options):
        options = {"replicaSet": SET, **options}
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        if self.given:
            credentials = self.given.given.netloc.rpartition("@")[0]
            if credentials:
                hosts = f"{credentials}@{hosts}"
                options.setdefault("authSource", self.given.given.path.strip("/") or "admin")
        return uri_of(hosts, database, **options)

    def stop(self):
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


KINDS = {kind.name: kind for kind in (Given, Mongod, Secantus, SecantusPython, FerretDB)}


def find():
    """The kind of server to test with; None: there is none."""
    wanted = os.environ.get("MONGO_SERVER")
    if wanted:
        return KINDS[wanted] if KINDS[wanted].is_here() else None
    return next((kind for kind in (Given, Mongod, Secantus, SecantusPython) if kind.is_here()), None)


@contextlib.contextmanager
def running(kind=None, *flags):
    """One server on data that goes with it."""
    with tempfile.TemporaryDirectory(prefix="doorward-mongo-") as directory:
        server = (kind or find())(directory, *flags).start()
        try:
            yield server
        finally:
            server.stop()


def run(command):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running() as server, contextlib.ExitStack() as stack:
        front = server
        if not server.is_set:
            front = Proxy(server)
            stack.callback(front.stop)
        # Without a database in it: each takes one of its own.
        return subprocess.run(command, env={**os.environ, "MONGODB_URI": front.uri("")}).returncode


def main(arguments):
    kind = find()
    if arguments == ["name"]:
        print(kind.name if kind else "none")
        return 0 if kind else 1
    if len(arguments) > 1 and arguments[0] == "run" and kind:
        return run(arguments[1:])
    print(__doc__ if kind else "servers.py: there is no server; see tests/mongo/setup", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
