"""The list of wrong changes still applies to the code: each old text stands once in its file, in every room there are some."""
from collections import Counter

import pytest

from mutations import MUTATIONS, ROOMS
from run import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_the_old_text_stands_once(mutation):
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    assert mutation.new != mutation.old


def test_every_room_has_some_and_names_are_unique():
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 60
    rooms = Counter(m.room for m in MUTATIONS)
    assert set(rooms) == set(ROOMS) and min(rooms.values()) >= 3
