"""`meson dist`: a tarball that needs nothing but the packages of the distribution."""
import re
import subprocess
import tarfile

import pytest

from deployed import ROOT, VERSION, run
from service import Service

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
BUILD = ROOT / "build"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """What is committed, unpacked. Without meson's own check, which builds it as `build` is configured: here it is built bare."""
    place = tmp_path_factory.mktemp("dist")
    run("meson", "dist", "-C", BUILD, "--include-subprojects", "--allow-dirty", "--no-tests", "--formats", "gztar")
    with tarfile.open(BUILD / "meson-dist" / f"doorward-{VERSION}.tar.gz") as tarball:
        tarball.extractall(place)
    return place / f"doorward-{VERSION}"


def test_the_tarball_holds_the_documentation_and_nothing_that_was_built(unpacked):
    for name in "README.md", "LICENSE", "openapi.yaml", "Dockerfile", "docs/deploying.md", "dev":
        assert (unpacked / name).is_file(), name
    built = [path for path in unpacked.rglob("*") if path.suffix in (".o", ".a", ".so") or path.name == "node_modules"]
    assert not built and not list(unpacked.glob("build*"))


def test_the_tarball_builds_without_downloads_and_what_it_builds_serves(unpacked, tmp_path):
    build = tmp_path / "build"
    run("meson", "setup", build, unpacked, "--wrap-mode=nodownload", "--buildtype=release", "-Dtests=disabled")
    subprocess.run(["nice", "ninja", "-C", build, "-j2"], check=True, capture_output=True)
    assert re.search(rf"^doorward {VERSION}$", run(build / "doorward", "--version"), re.M)
    service = Service(tmp_path / "place", binary=build / "doorward").start()
    service.newcomer()
    assert service.stop() == 0
