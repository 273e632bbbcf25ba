"""The contract as others' tools see it."""
import os

from deployed import ROOT, program, run


def test_redocly_is_quiet():
    run(program("redocly"), "lint", "--config", ROOT / "tests" / "tools" / "redocly.yaml", ROOT / "openapi.yaml",
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})
