"""Edits that tests make with a hook, and what of them is stored: fixtures/FAMILY/edit_NAME.h5."""

# of different kinds: plain, shared keys and values, a parallel block, experts, ALiBi
FAMILIES = ("gpt2", "llama3_rope", "gpt_neox", "mixtral", "bloom")

# zeroes what the indices name along the axes of the point (None: all), in a middle layer
EDITS = {
    "head": dict(point="z", layer=1, index=(None, 3, None)),
    "row": dict(point="resid_pre", layer=1, index=(9, None)),
    "entry": dict(point="pattern", layer=1, index=(1, 12, 4)),
}

LENGTH = 23
ROWS = (3, 9, 12, 15, 22)   # of what follows: before the edited positions, at them, after
