import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS / room) for room in ("model", "oracle")]
sys.path.insert(0, str(ROOT / "python"))
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
os.environ.setdefault("WEIR", str(BUILD / "cli/weir"))          # the binary that weir.dump runs


@pytest.fixture(scope="session")
def weir_cli():
    """Runs the binary; what it prints, and its exit code if that is asked for."""
    def run(*args, check=True):
        return subprocess.run([os.environ["WEIR"], *map(str, args)], check=check, capture_output=True, text=True)
    return run


@pytest.fixture(scope="session")
def models():
    """The folder of tiny models."""
    return TESTS / "model/fixtures"
