"""Finding the weir binary and running it with its words shown."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from weir import _notebook
from weir._error import Error

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILT = TREE / "build" / "cli" / "weir"
COMPLAINT = re.compile(rb"(?:\r\x1b\[K)?weir: (.*)\n")  # the line that a failing command ends with


def find() -> str:
    """The binary: $WEIR, or weir on PATH, or what script/build made of the tree that this module lies in."""
    named = os.environ.get("WEIR")
    if named:
        if not os.access(named, os.X_OK) or os.path.isdir(named):
            raise Error(f"WEIR is {named}, which is no program")
        return named
    found = shutil.which("weir") or (str(BUILT) if os.access(BUILT, os.X_OK) else None)
    if not found:
        raise Error(f"there is no program weir on PATH, which runs models: {_where_to_get_it()}")
    return found


def _where_to_get_it() -> str:
    """What to do: in the tree of weir another thing than where pip put this module, beside which nothing is built."""
    if (TREE / "meson.build").exists():
        return f"run script/build in {TREE}, or set the environment variable WEIR to where it is"
    return "build it (README.md of weir says how), and put it on PATH or set the environment variable WEIR to its path"


def run(arguments: Sequence[str], stdin: bytes = b"", quiet: bool = False) -> None:
    """Runs weir and shows what it says on stderr as it says it; an Error with its one line when it fails.

    Where sys.stderr is a terminal, or a notebook's, weir gets a terminal too, and so draws its progress.
    """
    command = [find(), *arguments]
    notebook = _notebook.is_one(sys.stderr)
    show = _nothing if quiet else _notebook.Shown() if notebook else _show
    reader, writer = _channel(not quiet and (notebook or sys.stderr.isatty()))
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=writer)
    except OSError as error:
        os.close(reader)
        raise Error(f"weir could not be run: {error.strerror}") from None
    finally:
        os.close(writer)
    with child, os.fdopen(reader, "rb", 0) as said:
        try:
            _give(child, stdin)
            complaint = _relay(_chunks(said.fileno()), show)
        except BaseException:
            child.terminate()  # it leaves nothing half-written
            raise
    if child.returncode:
        raise Error(complaint or f"weir ended with code {child.returncode}", child.returncode)


def _channel(terminal: bool) -> tuple[int, int]:
    """Two ends of a pipe, or of a terminal as wide as the one we have."""
    if not terminal:
        return os.pipe()
    import fcntl
    import termios

    reader, writer = os.openpty()
    size = _size()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))
    mode = termios.tcgetattr(writer)
    mode[1] &= ~termios.OPOST  # line ends as they are
    termios.tcsetattr(writer, termios.TCSANOW, mode)
    return reader, writer


def _size() -> os.terminal_size:
    """That of our terminal; a notebook has none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return os.terminal_size((80, 24))


def _give(child: subprocess.Popen[bytes], stdin: bytes) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(stdin)


def _chunks(reader: int) -> Iterator[bytes]:
    """What comes until the other end is closed, which a terminal tells by an error."""
    with contextlib.suppress(OSError):
        while chunk := os.read(reader, 1 << 16):
            yield chunk


def _relay(chunks: Iterator[bytes], show: Callable[[bytes], None]) -> str:
    """Passes words on line by line and progress as it is drawn; keeps and returns the complaint."""
    complaint, waiting = "", b""
    for chunk in chunks:
        *lines, waiting = _lines(waiting + chunk)
        for line in lines:
            failed = COMPLAINT.fullmatch(line)
            if failed:
                complaint = failed[1].decode("utf-8", "replace")
            else:
                show(line)
        if waiting.startswith(b"\r") and not COMPLAINT.match(waiting + b"\n"):
            show(waiting)
            waiting = b""
    return complaint


def _lines(text: bytes) -> list[bytes]:
    """Lines with their ends, and last what has no end yet."""
    *whole, rest = text.split(b"\n")
    return [*(line + b"\n" for line in whole), rest]


def _nothing(text: bytes) -> None:
    pass


def _show(text: bytes) -> None:
    sys.stderr.write(text.decode("utf-8", "replace"))
    sys.stderr.flush()
