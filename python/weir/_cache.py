"""An open cache file, and one prompt of it."""

from __future__ import annotations

import os
import shutil
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weir._labels import to_xarray
from weir._results import Results
from weir._stacks import Stacks
from weir._store import Next, Store, tame

if TYPE_CHECKING:
    import h5py
    import xarray


class Cache(Stacks):
    """An open file of activations: a mapping with a batch axis, which is the prompts.

    Prompts may be of different lengths: past the end of a shorter one, and where a position, a head or a neuron was not
    stored, values are NaN. `prompt(i)` gives one prompt cut to its own length.

    Example:

        with weir.open("run.h5") as cache:
            cache["resid_post", -1]         # [prompt, pos, d_model]
            cache.prompt(0)["pattern", 3]   # [head, query, key]
    """

    def __init__(self, store: Store, scratch: str | None = None) -> None:
        self._store = store
        # the folder of a file that nobody named goes with the object
        self._remove = weakref.finalize(self, shutil.rmtree, scratch, True) if scratch else None

    def prompt(self, index: int) -> Prompt:
        """One prompt, without the batch axis and cut to its length.

        Example:

            cache.prompt(-1)["z", 0]            # [pos, head, d_head]
        """
        n = len(self._store.lengths)
        if not -n <= index < n:
            raise IndexError(f"prompt {index}: {self.path} has {n}")
        return Prompt(self, index % n)

    @property
    def prompts(self) -> list[Prompt]:
        """All prompts, one by one."""
        return [Prompt(self, i) for i in range(len(self._store.lengths))]

    def remove_batch_dim(self) -> Prompt:
        """The only prompt, as `prompt(0)`; a ValueError where there are several."""
        if len(self._store.lengths) != 1:
            raise ValueError(f"{self.path} has {len(self._store.lengths)} prompts: take one with prompt(i)")
        return self.prompt(0)

    @property
    def tokens(self) -> list[list[str]]:
        r"""What the tokens of each prompt show as, bytes that are not UTF-8 as \xNN.

        Example:

            cache.tokens[0]                     # ["The", " cat", " sat"]
        """
        return self._store.tokens()

    @property
    def ids(self) -> list[NDArray[np.int32]]:
        """The token ids of each prompt: a list of [token]."""
        return self._store.ids()

    @property
    def text(self) -> list[str]:
        """The text of each prompt, empty where it was given as ids."""
        return self._store.text()

    @property
    def fields(self) -> list[dict[str, Any]]:
        """What else was known of each prompt: the other members of its line of JSON, or of its dict in weir.dump.

        Example:

            cache.fields[0]["subject"]          # "cat"
        """
        return self._store.fields()

    @property
    def positions(self) -> list[NDArray[np.int32]]:
        """The absolute position of each row of the axes pos and query: a list of [pos], one a prompt.

        Example:

            cache.positions[0]                  # [0, 1, 2, ...], or [11] where the file was made with positions=-1
        """
        return [prompt.positions for prompt in self.prompts]

    @property
    def loss(self) -> NDArray[np.float32]:
        """Mean next-token loss of each prompt in nats: [prompt]; NaN for a prompt of one token."""
        return self._store.loss()

    @property
    def next(self) -> Next:
        """The most likely next tokens, `id`, `logit`, `logprob` and what they show as, `text`: each [prompt, pos, top].

        Example:

            cache.next.text[0, -1]              # [" mat", " floor", " bed"], with next=3
        """
        return self._store.next()

    @property
    def results(self) -> Results:
        """What is not activations, by its name below /results: grids of `weir patch`, metrics of `weir run`.

        Example:

            cache.results["patch/resid_pre"].normalised         # [metric, layer, pos]
        """
        return Results(self._store)

    @property
    def file(self) -> h5py.File:
        """The file itself, for what is not here."""
        return self._store.file

    def to_xarray(self, *names: str) -> xarray.Dataset:
        """An xarray Dataset with a variable a hook point (those named, or all), read when values are asked for.

        Axes are labelled: layer, prompt, head and so on count from 0; `position` [prompt, pos] is the absolute position
        of a row; `token`, `query_token` and `key_token` are what tokens show as. Needs xarray.

        Example:

            cache.to_xarray("pattern").pattern.sel(layer=3, head=5)     # [prompt, query, key]
        """
        return to_xarray(self._store, names)

    def close(self) -> None:
        """Closes the file; what was read stays. A temporary file is removed."""
        self._store.file.close()
        if self._remove:
            self._remove()

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        lengths = self._store.lengths
        head = f"{'temporary file' if self._remove else self.path}: {self.model} ({self.attrs['family']}), "
        head += f"{self.n_layers} layers, {len(lengths)} prompt{'s' * (len(lengths) != 1)} of "
        head += f"{'up to ' * (len(set(lengths)) > 1)}{max(lengths, default=0)} tokens, {self.attrs['dtype']}"
        return tame(head) + ("" if self._store.file.id.valid else ", closed") + self._table()


class Prompt(Stacks):
    """One prompt of a cache: the same mapping without the batch axis, cut to the prompt's length.

    As after TransformerLens's remove_batch_dim: resid_post is [pos, d_model], pattern [head, query, key].

    Example:

        prompt = cache.prompt(0)
        dict(zip(prompt.tokens, prompt["pattern", 3][5, -1]))   # where head 5 looks from the last token
    """

    def __init__(self, cache: Cache, index: int) -> None:
        self.cache = cache  # a temporary file lives as long as this does
        self.index = index
        self._store = cache._store
        self._prompt = index
        self._only = slice(index, index + 1)

    @property
    def length(self) -> int:
        """How many tokens the prompt has."""
        return self._store.lengths[self.index]

    @property
    def tokens(self) -> list[str]:
        """What each token shows as."""
        return self._store.tokens(self._only)[0]

    @property
    def ids(self) -> NDArray[np.int32]:
        """The token ids: [token]."""
        return self._store.ids(self._only)[0]

    @property
    def text(self) -> str:
        """The text, empty where the prompt was given as ids."""
        return self._store.text(self._only)[0]

    @property
    def fields(self) -> dict[str, Any]:
        """What else was known of the prompt: the other members of its line of JSON, or of its dict in weir.dump."""
        return self._store.fields(self._only)[0]

    @property
    def positions(self) -> NDArray[np.int32]:
        """The absolute position of each row of the axes pos and query: [pos]."""
        positions: NDArray[np.int32] = self._store.position[self.index, : self._store.rows(self.index)]
        return positions

    @property
    def loss(self) -> float:
        """Mean next-token loss in nats; NaN for a prompt of one token."""
        return float(self._store.loss()[self.index])

    @property
    def next(self) -> Next:
        """The most likely next tokens, `id`, `logit`, `logprob` and what they show as, `text`: each [pos, top]."""
        return self._store.next((self.index, slice(self._store.rows(self.index))))

    def to_xarray(self, *names: str) -> xarray.Dataset:
        """As `Cache.to_xarray`, without the axis prompt, cut to the length; pos and query count absolute positions.

        Example:

            prompt.to_xarray("pattern").pattern.sel(layer=3, head=5, query=11)      # [key], with key_token beside it
        """
        return to_xarray(self._store, names, self.index)

    def __repr__(self) -> str:
        tokens = "|".join(self.tokens[:12]) if self._store.file.id.valid else "closed"
        more = "..." if self.length > 12 else "|"
        return tame(f"prompt {self.index} of {self.path}: {self.length} tokens, |{tokens}{more}") + self._table()


def open(path: str | os.PathLike[str]) -> Cache:
    """Opens a file that `weir dump` wrote. Nothing is read but names, shapes and lengths.

    Example:

        cache = weir.open("run.h5")
        cache["pattern", 3]                     # [prompt, head, query, key]
    """
    return Cache(Store.open(path))
