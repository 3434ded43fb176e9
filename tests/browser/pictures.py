#!/usr/bin/env python3
"""pictures.py RUN.h5: makes docs/pictures/viewer-*.png anew from a dump of SmolLM2 on docs/pictures/viewer.txt, with the weir of WEIR:

    weir dump -m .cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf -f docs/pictures/viewer.txt --hooks pattern,mlp_post,resid_post -o run.h5
    .venv/bin/python tests/browser/pictures.py run.h5
    pngquant --force --ext .png docs/pictures/viewer-*.png
"""
import sys
import tempfile
from pathlib import Path

from conftest import ROOT, chromium, weir
from viewer import Viewer

OUT, SIZE = ROOT / "docs/pictures", (1280, 800)


def attention(viewer):
    viewer.solo(17, 4)
    viewer.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", viewer.head(17, 4))
    viewer.click(viewer.token(104))
    viewer.hover(viewer.token(78))


def neurons(viewer):
    viewer.tab("neurons")
    viewer.click(viewer.find('.unit[title="mlp_post, layer 1, unit 149"]'))
    viewer.hover(viewer.token(61, "unit"))


def main(run):
    driver = chromium()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        done = weir("view", run, "-o", page)
        assert done.returncode == 0, done.stderr
        for name, show, dark in ("attention", attention, True), ("neurons", neurons, False):
            viewer = Viewer(driver, page, dark, SIZE)
            show(viewer)
            driver.save_screenshot(str(OUT / f"viewer-{name}.png"))
    driver.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
