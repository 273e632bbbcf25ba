"""openapi.yaml against the running service, by schemathesis: all its checks, a hundred examples an operation."""
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from service import ROOT, bearer

pytestmark = [pytest.mark.schema, pytest.mark.timeout(600)]


def test_schemathesis_finds_nothing(start_service, tmp_path):
    service = start_service(LOG_LEVEL="warn", LOGIN_ATTEMPTS=1000)
    _, tokens = service.newcomer()
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [program, "--config-file", ROOT / "tests/e2e/schemathesis.toml", "run", ROOT / "openapi.yaml",
         "--url", service.url, "--header", f"Authorization: {bearer(tokens)['Authorization']}", "--tls-verify",
         str(service.certificate), "--max-examples", "100", "--checks", "all", "--workers", "2", "--seed", "1",
         "--generation-database", "none"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"})
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]


def test_every_code_of_the_documentation_is_in_the_contract_and_the_reverse():
    problem = yaml.safe_load((ROOT / "openapi.yaml").read_text())["components"]["schemas"]["Problem"]["properties"]
    of_members = problem["errors"]["items"]["properties"]["code"]["enum"]
    page, _, members = (ROOT / "docs" / "errors.md").read_text().partition("\n## Members\n")
    codes = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| \d+ \| (.*?) \|", page, re.M)))
    assert sorted(codes) == sorted(problem["code"]["enum"] + ["draining"])  # what /readyz says in `status`
    assert sorted(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", members, re.M)))) == sorted(of_members)
