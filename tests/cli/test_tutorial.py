"""docs/tutorial.md is a walk that can be walked: its commands, in order and in one folder, say what stands there, draw its
pictures, and its Python goes on from there.

WEIR_UPDATE=1 writes what the commands say, and the pictures that weir draws, anew (Python's lines by hand, and
tutorial-view.png by tests/browser/pictures.py; pngquant makes pictures smaller): read the difference before you commit it.
"""
import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from drawn import drawn_mask, pixels
from program import CLEAN, ROOT, WEIR
from walk import COMMAND, DOC, PICTURES, numbers, said, words


DRAWN = ["head", "heads"]  # pictures/tutorial-*.png that its commands make


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """the folder after the walk, and what each command said in it: {command: indented lines}"""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "models").symlink_to(ROOT / "models")
    commands = [match[1] for match in COMMAND.finditer(DOC.read_text())]
    assert len(commands) > 12 and len(set(commands)) == len(commands)
    got = {command: said(folder, command) for command in commands}
    if os.environ.get("WEIR_UPDATE"):
        DOC.write_text(COMMAND.sub(lambda match: f"    {match[1]}\n{got[match[1]]}\n", DOC.read_text()))
        for name in DRAWN:
            shutil.copy(folder / f"{name}.png", PICTURES / f"tutorial-{name}.png")
    return folder, got


def test_commands_say_what_stands_there(walk):
    for match in COMMAND.finditer(DOC.read_text()):
        got, expected = walk[1][match[1]].rstrip("\n"), match[2].rstrip("\n")
        assert words(got) == words(expected), match[1]
        assert numbers(got) == pytest.approx(numbers(expected), abs=0.002), match[1]


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_what_the_commands_draw(walk, name):
    assert f"pictures/tutorial-{name}.png" in DOC.read_text()
    got, expected = pixels(walk[0] / f"{name}.png"), pixels(PICTURES / f"tutorial-{name}.png")
    assert got.shape == expected.shape
    command = next(shlex.split(command) for command in walk[1] if f"--png {name}.png" in command)
    svg = walk[0] / f"{name}.svg"
    subprocess.run([WEIR, *command[2:-2], "--svg", svg], cwd=walk[0], env=CLEAN, check=True, stderr=subprocess.DEVNULL)
    mask = drawn_mask(svg, got.shape[:2])
    assert mask.mean() > 0.1 and (np.abs(got - expected).max(2)[mask] > 40).mean() < 0.001, "other than in letters"


def test_python_goes_on_from_there(walk, monkeypatch):
    monkeypatch.chdir(walk[0])
    monkeypatch.setattr(sys, "path", [str(ROOT / "python"), *sys.path])
    monkeypatch.setenv("WEIR", os.path.join(ROOT, WEIR))
    blocks = re.findall(r"^```python\n(.*?)^```", DOC.read_text(), re.M | re.S)
    session = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "tutorial.md", str(DOC), 0)
    done = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(session)
    assert done.attempted > 10 and done.failed == 0
