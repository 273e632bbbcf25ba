"""docker-compose.yml, as Docker's own compose reads it."""
import json
import shutil
import subprocess

import pytest

from deployed import IMAGE, ROOT, VERSION, program, put_files, run, seconds, settings, secret_contents

PROFILES = {"mongodb": {"doorward", "mongodb"}, "sqlite": {"doorward-sqlite"}}
OURS = {"mongodb": "doorward", "sqlite": "doorward-sqlite"}


def project(profile):
    return json.loads(run(program("docker-compose"), "--project-directory", ROOT, "-f", ROOT / "docker-compose.yml",
                          "--env-file", "/dev/null", "--profile", profile, "config", "--format", "json"))


@pytest.fixture(params=PROFILES)
def profile(request):
    return request.param


def test_a_profile_starts_what_it_needs_and_no_more(profile):
    assert project(profile)["services"].keys() == PROFILES[profile]


def test_everything_is_confined(profile):
    for name, service in project(profile)["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["mem_limit"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and service.get("user", "") not in ("0", "root"), name


def test_the_service_takes_its_settings_and_ends_in_time(profile, tmp_path):
    whole = project(profile)
    service = whole["services"][OURS[profile]]
    contents = secret_contents()
    files = {s["target"]: contents[s["source"].replace("_", "-")] for s in service["secrets"]}
    found = settings(put_files({**IMAGE.environment, **service["environment"]}, files, tmp_path), tmp_path)
    assert found["DB_URI"].startswith({"mongodb": "mongodb://", "sqlite": "sqlite:"}[profile])
    assert seconds(service["stop_grace_period"]) > int(found["DRAIN_DELAY"]) + int(found["DRAIN_TIMEOUT"])
    port, = service["ports"]
    assert str(port["target"]) == found["PORT"] and found["PUBLIC_URL"] == f"https://{port['host_ip']}:{port['published']}"


def test_the_service_writes_into_its_volume_alone(profile):
    service = project(profile)["services"][OURS[profile]]
    assert [v["target"] for v in service["volumes"]] == [IMAGE.one("WORKDIR")] == [IMAGE.one("VOLUME")]
    assert service["image"] == f"doorward:{VERSION}" and "tmpfs" not in service


def test_the_database_is_a_replica_set_that_the_documented_uri_names_and_that_only_doorward_reaches():
    whole = project("mongodb")
    database = whole["services"]["mongodb"]
    image, _, version = database["image"].partition(":")
    assert image == "mongo" and float(version) >= 7
    words = database["command"]
    replica_set = words[words.index("--replSet") + 1]
    assert f"mongodb://mongodb:27017/doorward?replicaSet={replica_set}'" in (ROOT / "docs" / "deploying.md").read_text()
    assert whole["services"]["doorward"]["depends_on"]["mongodb"]["condition"] == "service_healthy"
    assert database["networks"].keys() == {"back"} and whole["networks"]["back"]["internal"] and "ports" not in database


# What a mongosh knows, on a server in one of three states.
SHELL = """
const state = process.argv[1]; let made = null
const rs = { status() { if (state === 'new') throw new Error('no replset config has been received') },
             initiate(set) { made = set } }
const db = { hello: () => ({ isWritablePrimary: state === 'primary' }) }
const quit = code => { console.log(JSON.stringify({ code, made })); process.exit(0) }
"""


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node here")
@pytest.mark.parametrize("state, code, makes", [("new", 1, True), ("electing", 1, False), ("primary", 0, False)])
def test_the_databases_health_check_makes_the_set_once_and_waits_for_its_primary(state, code, makes):
    database = project("mongodb")["services"]["mongodb"]
    script = database["healthcheck"]["test"][-1]
    done = json.loads(subprocess.run(["node", "-e", f"{SHELL}\n{script}\nquit(0)", state], capture_output=True, text=True,
                                     check=True).stdout)
    assert done["code"] == code
    assert done["made"] == ({"_id": "rs0", "members": [{"_id": 0, "host": "mongodb:27017"}]} if makes else None)
