"""Schemathesis against the running server, for a set time: no operation makes it fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.quiet import quiet_server

SECONDS = 12
PROGRAM = Path(sys.executable).with_name("schemathesis")


@pytest.mark.skipif(not shutil.which(str(PROGRAM)), reason="schemathesis is not installed")
def test_no_operation_makes_the_server_fail(tmp_path: Path) -> None:
    with quiet_server(tmp_path / "data", REQUESTS_PER_MINUTE="0") as server:
        options = f"--max-time {SECONDS} --max-examples 15 --phases fuzzing --continue-on-failure"
        done = subprocess.run(
            [
                *(str(PROGRAM), "run", f"{server.url}/graphql", *options.split()),
                # To this check, every GraphQL error is the server's: the log tells which ones are.
                *("--checks", "not_a_server_error", "--suppress-health-check", "all"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        log = server.log.read_text()
    assert "Tested:" in done.stdout, done.stdout + done.stderr
    assert log.count("darkroom.audit") > 100
    assert "Darkroom itself failed" not in done.stdout
    assert "[500]" not in done.stdout
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
    assert 'outcome="failed"' not in log
