"""weir view's pages in a real browser."""
import shutil
from pathlib import Path

import h5py
import pytest

from pages import HOSTILE, chromium, dump, long_file, name_tokens, weir, wide_model
from viewer import Viewer


@pytest.fixture(scope="session")
def long_files(tmp_path_factory):
    """long_files(n): the file of long_file, made once, its page beside it; removed at the end, as some are large"""
    folder, made = tmp_path_factory.mktemp("long"), {}

    def of(n):
        if n not in made:
            made[n] = long_file(folder, n)
            done = weir("view", made[n], "-o", made[n].with_suffix(".html"))
            assert done.returncode == 0, done.stderr
        return made[n]

    yield of
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """files of known kinds, by name"""
    folder = tmp_path_factory.mktemp("viewer")
    all_points = ("--hooks", "pattern,mlp_post,resid_pre,resid_mid,resid_post")
    made = {dtype: dump(folder / f"{dtype}.h5", "llama", *all_points, "--dtype", dtype) for dtype in ("f32", "f16", "bf16")}
    name_tokens(made["f32"], lambda position: f" word{position}")
    made["hostile"] = Path(shutil.copy(made["f32"], folder / "hostile.h5"))
    name_tokens(made["hostile"], lambda position: HOSTILE[position % len(HOSTILE)])
    with h5py.File(made["hostile"], "r+") as file:
        file.attrs["model"] = "</title><img src=x onerror=alert(2)>"
    made["part"] = dump(folder / "part.h5", "llama", "--hooks", "pattern:1+2.0+4,mlp_post:1.3", "--positions", "3:9")
    made["residual"] = dump(folder / "residual.h5", "llama", "--hooks", "resid_post:0+2")
    made["sinks"] = dump(folder / "sinks.h5", "gpt_oss")
    made["nothing"] = dump(folder / "nothing.h5", "llama", "--hooks", "z")
    model = wide_model(folder / "wide")
    made["wide"] = dump(folder / "wide.h5", model, "--hooks", "pattern,mlp_post,resid_post", lengths=(128,))
    made["wider"] = dump(folder / "wider.h5", model, "--hooks", "pattern", lengths=(300,))
    return made


@pytest.fixture(scope="session")
def browser():
    driver = chromium()
    yield driver
    driver.quit()


@pytest.fixture
def view(browser, files, tmp_path):
    """view(name, options...): that file's page, open; view(path): a page that is made. At the end of the test, nothing may have been
    said or asked for."""
    opened = []

    def open_page(name, *options, dark=False, size=(1400, 900)):
        page = tmp_path / f"{name}.html"
        if isinstance(name, Path):
            page = name
        else:
            done = weir("view", files[name], "-o", page, "--force", *options)
            assert done.returncode == 0, done.stderr
        opened.append(Viewer(browser, page, dark, size))
        return opened[-1]

    yield open_page
    for viewer in opened[-1:]:
        assert viewer.complaints() == []
        assert viewer.requests() == [viewer.url]
