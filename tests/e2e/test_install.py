"""What `meson install` puts on a machine."""
import os
import pathlib
import shutil
import subprocess

import pytest

from service import BINARY, Service

BUILD = pathlib.Path(os.environ.get("DOORWARD_RELEASE", BINARY)).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    place = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", BUILD, "--destdir", place, "--no-rebuild", "--quiet"], check=True)
    return place


def only(place, pattern):
    found = list(place.rglob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def test_the_installed_program_serves(installed, tmp_path):
    service = Service(tmp_path, binary=only(installed, "bin/doorward")).start()
    service.newcomer()
    assert service.stop() == 0


def test_the_installed_program_finds_its_mongodb_module(installed, tmp_path):
    only(installed, "doorward-store-mongo.so")
    service = Service(tmp_path, binary=only(installed, "bin/doorward"), DB_URI="mongodb://127.0.0.1:1/x?nonsense=",
                      MASTER_KEY="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert "module" not in service.cli("user", "list", code=1).stderr


def test_the_manual_names_every_command_and_every_setting(installed, tmp_path):
    service = Service(tmp_path)
    commands, settings = only(installed, "doorward.1").read_text(), only(installed, "doorward.5").read_text()
    for line in service.cli("--help").stdout.splitlines():
        word = line.removeprefix("  doorward ").split()[0] if line.startswith("  doorward ") else "--version"
        assert word in ("--version", "COMMAND") or word in commands, word
    for line in service.cli("config").stdout.splitlines():
        assert not line or f".B {line.split('=')[0].split()[0]}\n" in settings, line


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
@pytest.mark.parametrize("page", ["doorward.1", "doorward.5"])
def test_the_manual_is_laid_out_without_warnings(installed, page):
    done = subprocess.run(["man", "--warnings", "-l", only(installed, page)], capture_output=True, text=True, check=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})  # it warns of a locale that is not there
    assert done.stderr == "" and len(done.stdout) > 500


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_the_unit_is_one_that_systemd_understands_and_finds_tight(installed, tmp_path):
    unit = tmp_path / "doorward.service"
    text = only(installed, "doorward.service").read_text()
    unit.write_text(text.replace("ExecStart=/usr/local/bin/doorward", f"ExecStart={only(installed, 'bin/doorward')}"))
    for check in ["--man=no", "verify"], ["--offline=yes", "--threshold=20", "security"]:
        done = subprocess.run(["systemd-analyze", *check, unit], capture_output=True, text=True)
        assert done.returncode == 0 and "doorward.service:" not in done.stderr, done


@pytest.mark.parametrize("words, expected", [
    (["doorward", "ca"], ["calibrate"]),
    (["doorward", "user", "dis"], ["disable"]),
    (["doorward", "key", "r"], ["rotate", "retire"]),
    (["doorward", "config", "--c"], ["--check"]),
])
def test_the_shell_completes_what_the_program_knows(installed, words, expected):
    script = only(installed, "bash-completion/completions/doorward")
    asked = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _doorward; echo "${COMPREPLY[@]}"'
    path = f"{only(installed, 'bin/doorward').parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", asked, "bash", script, *words], capture_output=True, text=True, check=True,
                          env={"PATH": path})
    assert set(done.stdout.split()) == set(expected)
