"""docs/tutorial-smollm2.md: its commands, in order, print what stands there.

Slow: it needs the model that script/fetch-model fetches. WEIR_UPDATE=1 writes what the commands print anew.
"""
import os

import pytest

from program import ROOT
from walk import COMMAND, numbers, said, words

WALK = ROOT / "docs/tutorial-smollm2.md"
MODEL = ROOT / ".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

pytestmark = pytest.mark.slow


def test_commands_print_what_stands_there(tmp_path):
    if not MODEL.exists():
        pytest.skip("no model: script/fetch-model fetches it")
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "smollm2.gguf").symlink_to(MODEL)
    got = {match[1]: said(tmp_path, match[1]) for match in COMMAND.finditer(WALK.read_text())}
    if os.environ.get("WEIR_UPDATE"):
        WALK.write_text(COMMAND.sub(lambda match: f"    {match[1]}\n{got[match[1]]}\n", WALK.read_text()))
    assert len(got) >= 8
    for match in COMMAND.finditer(WALK.read_text()):
        printed, expected = got[match[1]].rstrip("\n"), match[2].rstrip("\n")
        assert words(printed) == words(expected), match[1]
        assert numbers(printed) == pytest.approx(numbers(expected), abs=0.02), match[1]

