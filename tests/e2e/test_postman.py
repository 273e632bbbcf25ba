"""The Postman collection: newman runs it, and its sample answers keep to the contract."""
import json
import os
import re
import subprocess

import pytest
import yaml

import contract
from service import ROOT

COLLECTION = ROOT / "postman" / "doorward.postman_collection.json"
ENVIRONMENT = ROOT / "postman" / "doorward.postman_environment.json"
SAMPLES = contract.Contract()  # another than the one that remembers what the service was seen to do
NEWMAN = ROOT / "build-middleware" / "newman" / "node_modules" / ".bin" / "newman"  # by tests/e2e/setup


def requests():
    """Each with its name, method, path (an id in the place of a variable) and sample answers."""
    for folder in json.loads(COLLECTION.read_text())["item"]:
        for item in folder["item"]:
            path = "/" + "/".join(item["request"]["url"]["path"])
            yield item["name"], item["request"]["method"], re.sub(r"\{\{.*?\}\}", "id", path), item["response"]


def test_newman_runs_the_collection_and_every_assertion_holds(service, tmp_path):
    if not NEWMAN.exists():
        pytest.skip("newman is not here; `./dev setup test` brings it where npm and its packages can be had")
    report = tmp_path / "report.json"
    done = subprocess.run(
        [NEWMAN, "run", COLLECTION, "--environment", ENVIRONMENT, "--env-var", f"base_url={service.url}", "--ssl-extra-ca-certs",
         service.certificate, "--reporters", "cli,json", "--reporter-json-export", report, "--color", "off", "--timeout-request", "30000"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    run = json.loads(report.read_text())["run"]
    assert run["stats"]["requests"]["total"] == len(list(requests())) and run["stats"]["assertions"]["total"] > 100
    for execution in run["executions"]:
        assert execution["assertions"], execution["item"]["name"]


def test_the_collection_has_every_operation_of_the_contract():
    asked = {(template, method.lower()) for _, method, path, _ in requests()
             for template in [SAMPLES.operation(method, path)[0]]}
    promised = {(template, method) for template, item in yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"].items()
                for method in item if template != "/verify" or method == "get"}  # it takes any method
    assert promised <= asked, promised - asked


@pytest.mark.parametrize("name, method, path, answers", list(requests()))
def test_the_sample_answers_keep_to_the_contract(name, method, path, answers):
    assert answers
    for answer in answers:
        headers = {header["key"].lower(): header["value"] for header in answer["header"]}
        SAMPLES.check(method, path, answer["code"], headers, answer["body"].encode())


def test_the_environment_has_every_variable_and_no_secret():
    known = {value["key"]: value["value"] for value in json.loads(ENVIRONMENT.read_text())["values"]}
    used = set(re.findall(r"\{\{(\w+)\}\}", COLLECTION.read_text()))
    assert used <= set(known)
    assert [name for name, value in known.items() if value] == ["base_url"]
