"""Progress in a notebook, whose stderr is no terminal: a bar of tqdm where that is installed, else a line."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

DRAWN = re.compile(rb"\r\[[#.]*\] +(\d+)%  (\S+ \S+)  (\S+) left")  # as weir draws it: percent, speed, time
CLEAR = b"\r\x1b[K"


def is_one(stream: Any) -> bool:
    """Whether this stream is shown in a notebook: that of a Jupyter kernel."""
    return type(stream).__module__.split(".")[0] == "ipykernel"


def _bar() -> Any:
    """A bar of tqdm from 0 to 100 %, None where there is no tqdm."""
    try:
        return importlib.import_module("tqdm.auto").tqdm(total=100, unit="%", desc="weir", leave=False, file=sys.stderr)
    except ImportError:
        return None


class Shown:
    """Takes what weir says as it comes: words go to stderr, progress to a bar, which is gone at the end."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._drawn = False  # a line of progress stands there

    def __call__(self, text: bytes) -> None:
        """Shows one line, or one state of the progress."""
        drawn = DRAWN.search(text)
        if drawn and not text.endswith(b"\n"):
            self._progress(int(drawn[1]), f"{drawn[2].decode()}, {drawn[3].decode()} left")
            return
        self._end()
        words = text.rpartition(CLEAR)[2]
        if words:
            sys.stderr.write(words.decode("utf-8", "replace"))
            sys.stderr.flush()

    def _progress(self, percent: int, how: str) -> None:
        if not self._drawn:
            self._bar = _bar()
        self._drawn = True
        if self._bar is None:
            sys.stderr.write(f"\r{percent:3} %  {how:40}")
            sys.stderr.flush()
            return
        self._bar.set_postfix_str(how, refresh=False)
        self._bar.update(percent - self._bar.n)

    def _end(self) -> None:
        if self._drawn and self._bar is not None:
            self._bar.close()
        elif self._drawn:
            sys.stderr.write(f"\r{'':48}\r")
        self._drawn = False
