"""A document's commands, and what stands under each of them."""
import re
import shlex
import subprocess

from program import CLEAN, ROOT, WEIR

DOC, PICTURES = ROOT / "docs/tutorial.md", ROOT / "docs/pictures"
COMMAND = re.compile(r"^    (\$ weir .*)\n((?:    (?!\$ ).*\n|\n)*)", re.M)  # and what it says, up to the next text or command
NUMBER = re.compile(r"-?\d+\.\d+(?:e-\d+)?")
SIZE = re.compile(r"\d+(?:\.\d+)? kB|\d+\.\d s\b")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def said(folder, command):
    """what a terminal would show, indented as in the text: both outputs, in the order in which they come"""
    done = subprocess.run([WEIR, *shlex.split(command)[2:]], cwd=folder, env=CLEAN, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return "".join(f"    {line}".rstrip(" ") + "\n" for line in done.stdout.splitlines())


def words(text):
    """without what numbers, sizes, times and the widths of those are"""
    for pattern in DATE, SIZE, NUMBER:
        text = pattern.sub("#", text)
    return re.sub(r" +", " ", text)


def numbers(text):
    return [float(number) for number in NUMBER.findall(SIZE.sub("", text))]
