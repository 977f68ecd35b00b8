"""A few of the kills that `python tests/kills` makes in numbers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_killed_traces_are_taken_up_equal_with_nothing_left_over() -> None:
    done = subprocess.run([sys.executable, FOLDER, "20", "16"], capture_output=True, text=True, cwd=FOLDER.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "nothing wrong"
