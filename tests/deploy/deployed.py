"""What the files for deploying say, and what the program says about it."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from service import BINARY, ROOT, random_master_key

PLACE = ROOT / "build-deploy"
KUBERNETES = ROOT / "deploy" / "k8s"
VERSION = re.search(r"^ *version: '(.*)'", (ROOT / "meson.build").read_text(), re.M).group(1)
DB_URI = "mongodb://db.example.org/doorward?replicaSet=rs0"


def program(*names):
    """The first of these that tests/deploy/setup brought, or that is here anyway."""
    for name in names:
        for place in PLACE / "programs", PLACE / "node" / "node_modules" / ".bin":
            if (place / name).exists():
                return place / name
        if shutil.which(name):
            return shutil.which(name)
    pytest.skip(f"there is no {' or '.join(names)} here; build-logs/setup-*.log says why")


def run(*command, code=0, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Image:
    """The last stage of the Dockerfile: its instructions, by name."""

    def __init__(self):
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        self.instructions = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
        self.last = self.instructions[[i for i, (name, _) in enumerate(self.instructions) if name == "FROM"][-1]:]

    def one(self, name):
        found = [rest for instruction, rest in self.last if instruction == name]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    @property
    def environment(self):
        return dict(word.split("=", 1) for word in self.one("ENV").split())

    @property
    def user(self):
        return int(self.one("USER").split(":")[0])


IMAGE = Image()


def settings(environment, directory):
    """The effective settings under this environment, which must be acceptable, in which each name must be known."""
    environment = {"PATH": os.environ["PATH"], **environment}
    run(BINARY, "config", "--check", cwd=directory, env=environment)
    printed = run(BINARY, "config", cwd=directory, env=environment)
    found = dict(re.findall(r"^([A-Z0-9_]+)=(.*?)(?:  # .*)?$", printed, re.M))
    ours = environment.keys() - {"PATH"} - IMAGE.environment.keys()
    unknown = {name for name in ours if name not in found and name.removesuffix("_FILE") not in found}
    assert not unknown, f"Doorward has no such settings: {unknown}"
    return found


def put_files(environment, files, directory):
    """The environment with paths of these files below the directory; `files` are paths and contents."""
    moved = dict(environment)
    for path, content in files.items():
        place = pathlib.Path(directory) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        place.chmod(0o600)
        moved = {name: str(place) if value == path else value for name, value in moved.items()}
    left = {name: value for name, value in moved.items() if value.startswith("/run/secrets/")}
    assert not left, f"nothing is mounted at {left}"
    return moved


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


def secret_contents():
    return {"db-uri": DB_URI, "master-key": random_master_key()}
