"""The program under test: WEIR names it, WEIR_BUILD the folder in which it was built."""
import json
import os
import pty
import resource
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
WEIR = os.environ.get("WEIR", str(BUILD / "cli/weir"))
SANITIZED = "asan" in WEIR      # an instrumented build: what shows nothing more there is left to the plain one
FIXTURES = ROOT / "tests/model/fixtures"
FOREVER = 600     # seconds: who has not ended by then waits for something
USAGE, INPUT, UNSUPPORTED, OUTPUT = 2, 3, 4, 5         # exit codes
CLEAN = {name: value for name, value in os.environ.items()
         if name not in ("COLUMNS", "NO_COLOR", "COLORTERM", "TERM", "HF_HUB_CACHE", "WEIR_MODEL")} | {"HF_HOME": "/none"}


def at_most(seconds):
    """for preexec_fn: of the processor's time, which a busy machine does not make longer"""
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def weir(folder, *args, env=None, seconds=None, **options):
    """Runs it in a folder, without what the environment says of terminals and models; with `seconds`, it dies where it takes
    more of the processor's time, and waiting for what never comes is a failure of the test."""
    if seconds:
        options = {"preexec_fn": at_most(seconds), "timeout": FOREVER, **options}
    return subprocess.run([WEIR, *map(str, args)], cwd=folder, env={**CLEAN, **(env or {})}, capture_output=True,
                          **options)


def ask(folder, *args, code=0):
    """-> what it answers with --json"""
    done = weir(folder, *args, "--json")
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)


def on_terminal(folder, *args, messages=False, **env):
    """Runs weir with a terminal as its standard output (and error, with `messages`) -> what the terminal got"""
    parent, child = pty.openpty()
    with subprocess.Popen([WEIR, *map(str, args)], cwd=folder, env={**CLEAN, **env}, stdout=child,
                          stderr=child if messages else None) as process:
        os.close(child)
        got = b""
        try:
            while more := os.read(parent, 65536):
                got += more
        except OSError:  # the other end is closed
            pass
    os.close(parent)
    assert process.returncode == 0
    return got.decode().replace("\r\n", "\n")
