"""Activations that weir stored, by TransformerLens's names and with its shapes.

    import weir

    cache = weir.open("run.h5")             # or weir.dump("The cat sat on the mat")
    cache["pattern", 3]                     # [prompt, head, query, key]
    cache.prompt(0)["resid_post", -1]       # one prompt: [pos, d_model]
    cache.prompt(0).tokens                  # ["The", " cat", " sat", ...]

Nothing is read before it is asked for. Files are those of `weir dump` (docs/store.md).
"""

from weir._activations import Activations
from weir._cache import Cache, Prompt, open
from weir._dump import dump
from weir._error import Error, NotStored
from weir._read import is_stored
from weir._results import Result, Results
from weir._store import Next, Point

__all__ = [
    "Activations",
    "Cache",
    "Error",
    "Next",
    "NotStored",
    "Point",
    "Prompt",
    "Result",
    "Results",
    "dump",
    "is_stored",
    "open",
]
