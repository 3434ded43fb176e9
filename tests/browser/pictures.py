#!/usr/bin/env python3
"""pictures.py RUN.h5 TUTORIAL.h5 LONG.h5 PATCHES.h5: makes docs/pictures/viewer-*.png and tutorial-view.png anew, with the weir of WEIR, from a dump of
SmolLM2 on docs/pictures/viewer.txt, from the run.h5 of docs/tutorial.md, from one of 4,000 tokens of docs/, and from grids of patches:

    weir dump -m .cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf -f docs/pictures/viewer.txt --hooks pattern,mlp_post,resid_post -o run.h5
    weir dump -p "The old sailor mended his nets. The old sailor mended his" -o tutorial.h5
    weir dump -m .cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf -p "$(head -c 10700 docs/tutorial.md)" --hooks pattern:0:8 --dtype f16 --next 5 -o long.h5
    weir patch --pairs models/repeats.jsonl --at resid_pre,z --metric 'logprob(answer)' -o patches.h5
    .venv/bin/python tests/browser/pictures.py run.h5 tutorial.h5 long.h5 patches.h5
    pngquant --force --ext .png docs/pictures/viewer-*.png docs/pictures/tutorial-view.png
"""
import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from pages import ROOT, chromium, weir
from viewer import Plot, Viewer

OUT = ROOT / "docs/pictures"


def attention(viewer):
    viewer.solo(17, 4)
    viewer.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", viewer.head(17, 4))
    viewer.click(viewer.token(104))
    viewer.hover(viewer.token(78))


def neurons(viewer):
    viewer.tab("neurons")
    viewer.click(viewer.find('.unit[title="mlp_post, layer 1, unit 149"]'))
    viewer.hover(viewer.token(61, "unit"))


def long_prompt(viewer):
    viewer.solo(5, 6)
    viewer.click(viewer.find("#model"))
    viewer.press("/", *"sailor", Keys.ENTER, Keys.ESCAPE)


def tutorial(viewer):
    viewer.solo(1, 0)
    viewer.click(viewer.token(17))
    viewer.hover(viewer.token(6))


def patches(viewer):
    plot = Plot(viewer, 4, 5, "patch-map-1")
    plot.hover(*plot.pixel(0, 2))


def photograph(driver, run, name, show, dark, size):
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        done = weir("view", run, "-o", page)
        assert done.returncode == 0, done.stderr
        show(Viewer(driver, page, dark, size))
        driver.save_screenshot(str(OUT / f"{name}.png"))


def main(run, of_tutorial, of_long, of_patches):
    driver = chromium()
    photograph(driver, run, "viewer-attention", attention, True, (1280, 800))
    photograph(driver, run, "viewer-neurons", neurons, False, (1280, 800))
    photograph(driver, of_tutorial, "tutorial-view", tutorial, False, (1280, 720))
    photograph(driver, of_long, "viewer-long", long_prompt, False, (1280, 800))
    photograph(driver, of_patches, "viewer-patches", patches, False, (1500, 440))
    driver.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
