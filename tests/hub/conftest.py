"""For the tests of weir pull: a hub on this machine, a cache, and repositories."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cli")]

from hub_server import Hub                              # noqa: E402
from sides import BIG, CLUTTER, MODEL, Side             # noqa: E402


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def side(hub, tmp_path):
    return Side(hub, tmp_path / "home")


@pytest.fixture
def tiny(hub):
    """org/tiny, a model that runs, among what a repository has beside it -> its commit"""
    return hub.add("org/tiny", MODEL | CLUTTER)


@pytest.fixture
def large(hub):
    """org/large: 3 MB of weights in which nothing repeats -> its commit"""
    return hub.add("org/large", {"config.json": b"{}", "model.safetensors": BIG})
