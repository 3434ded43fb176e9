"""docs/tutorial-patching.md: its commands, in order, print what stands there.

WEIR_UPDATE=1 writes what they print anew: read the difference before you commit it.
"""
import json
import os
import shutil

import numpy as np
import pytest

from drawn import drawn_mask, pixels
from program import ROOT
from walk import COMMAND, PICTURES, numbers, said, words

PICTURE = "patching-resid.png"
WALK = ROOT / "docs/tutorial-patching.md"
PAIRS, PAIR = ROOT / "models/repeats.jsonl", ROOT / "models/repeat.jsonl"


def test_the_pairs_are_made_as_the_walk_says():
    random, lines = np.random.default_rng(5), []
    for _ in range(8):
        tokens = [int(token) for token in random.choice(np.arange(300, 4000), 12, replace=False)]
        clean = [0, *tokens[:10], *tokens[:6]]
        lines.append(dict(clean=clean, corrupt=[*clean[:6], tokens[11], *clean[7:]], answer=[tokens[6]]))
    assert [json.loads(line) for line in PAIRS.read_text().splitlines()] == lines
    assert json.loads(PAIR.read_text()) == lines[0]


def test_commands_print_what_stands_there(tmp_path):
    (tmp_path / "models").symlink_to(ROOT / "models")
    got = {match[1]: said(tmp_path, match[1]) for match in COMMAND.finditer(WALK.read_text())}
    assert len(got) >= 6
    if os.environ.get("WEIR_UPDATE"):
        WALK.write_text(COMMAND.sub(lambda match: f"    {match[1]}\n{got[match[1]]}\n", WALK.read_text()))
    for match in COMMAND.finditer(WALK.read_text()):
        printed, expected = got[match[1]].rstrip("\n"), match[2].rstrip("\n")
        assert words(printed) == words(expected), match[1]
        assert numbers(printed) == pytest.approx(numbers(expected), abs=0.006), match[1]


def test_the_picture_is_what_the_command_draws(tmp_path):
    (tmp_path / "models").symlink_to(ROOT / "models")
    command = next(match[1] for match in COMMAND.finditer(WALK.read_text()) if "--png patch.png" in match[1])
    said(tmp_path, command + " --svg patch.svg")
    if os.environ.get("WEIR_UPDATE"):
        shutil.copy(tmp_path / "patch.png", PICTURES / PICTURE)
    got, expected = pixels(tmp_path / "patch.png"), pixels(PICTURES / PICTURE)
    assert f"pictures/{PICTURE}" in WALK.read_text() and got.shape == expected.shape
    mask = drawn_mask(tmp_path / "patch.svg", got.shape[:2])
    assert mask.mean() > 0.1 and (np.abs(got - expected).max(2)[mask] > 40).mean() < 0.001, "other than in letters"
