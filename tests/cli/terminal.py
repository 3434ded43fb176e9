"""A real terminal for weir tui: tmux runs it, keys are sent, the screen is read. Waits are for what it shows, never for time."""
import itertools
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from program import WEIR

PATIENCE = float(os.environ.get("WEIR_PATIENCE", 60))  # seconds until a screen that never comes is a failure
windows = itertools.count()


class Terminal:
    """a window of tmux in which a shell command runs; it stays when that is done"""

    def __init__(self, folder, command, width=120, height=40, **env):
        self.name = f"weir-{os.getpid()}-{next(windows)}"
        names = {"LC_ALL": "C.UTF-8", "HOME": str(folder), **env}
        shell = "".join(f"export {name}={shlex.quote(value)}; " for name, value in names.items())
        clean = {name: os.environ[name] for name in os.environ if name not in ("NO_COLOR", "COLORTERM", "COLUMNS", "TMUX")}
        self.tmux("-f", str(folder / "tmux.conf"), "new-session", "-d", "-x", str(width), "-y", str(height), "-c",
                  str(folder), f"{shell}{command}; echo code $?; exec cat", env={**clean, "LC_ALL": "C.UTF-8"})

    def tmux(self, *args, **options):
        done = subprocess.run(["tmux", "-L", self.name, *args], capture_output=True, text=True, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # what still runs is killed first: a build with LeakSanitizer that is hung up while it looks for leaks, its tracer
        # killed by SIGHUP, waits for that for ever
        shell = subprocess.run(["tmux", "-L", self.name, "display", "-p", "#{pane_pid}"], capture_output=True, text=True).stdout
        children = Path(f"/proc/{shell.strip()}/task/{shell.strip()}/children")
        for child in children.read_text().split() if shell.strip() and children.exists() else ():
            os.kill(int(child), signal.SIGKILL)
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True)

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, pattern, *options):
        """the screen, once it has what the pattern describes"""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, shown := self.screen(*options), re.M):
            assert time.monotonic() < end, f"no {pattern!r} on:\n{shown}"
            time.sleep(0.02)
        return shown

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))


def tui(folder, name, *args, ready="q quit|needs 60x16", **options):
    terminal = Terminal(folder, shlex.join([WEIR, "tui", name, *map(str, args)]), **options)
    terminal.wait(ready)  # what is typed before it has the terminal is typed for the shell
    return terminal
