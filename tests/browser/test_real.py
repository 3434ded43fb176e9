"""The page of a real model's file says what the terminal says. Slow: it needs the model that script/fetch-model fetches."""
import re

import pytest

from pages import ROOT, weir
from viewer import Viewer

MODEL = ROOT / ".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SENTENCE = "When Mary and John went to the store, John gave a drink to"
PRINTED = re.compile(r"^ +\d+ +(\d\.\d{4}) .*\|(.*)\|$", re.M)


@pytest.mark.slow
def test_the_page_and_the_terminal_agree_on_what_an_ablated_head_leaves(browser, tmp_path):
    if not MODEL.exists():
        pytest.skip("no model: script/fetch-model fetches it")
    ran = weir("run", "-m", MODEL, "-p", SENTENCE, "--ablate", "z:23.3", "--against", "base", "--top", "4",
               "--hooks", "pattern:23.3", "-o", tmp_path / "ablated.h5")
    assert ran.returncode == 0, ran.stderr
    made = weir("view", tmp_path / "ablated.h5", "-o", tmp_path / "ablated.html")
    assert made.returncode == 0, made.stderr
    printed = [(text.strip(), float(p)) for p, text in PRINTED.findall(ran.stdout)]
    assert len(printed) == 4 and printed[0][0] == "Mary"
    viewer = Viewer(browser, tmp_path / "ablated.html")
    viewer.click(viewer.token(13))
    shown = [(line.find_element("css selector", ".t").text.strip("␣·| "), float(line.find_element("css selector", ".value").text))
             for line in viewer.all("#next tr")][:4]
    assert [text for text, _ in shown] == [text for text, _ in printed]
    assert [p for _, p in shown] == pytest.approx([p for _, p in printed], rel=6e-3, abs=5e-5)
