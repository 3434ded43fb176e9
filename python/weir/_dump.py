"""Running a model: the binary does it, this makes its command line."""

from __future__ import annotations

import json
import operator
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from weir import _binary
from weir._cache import Cache
from weir._error import Error
from weir._store import Store

Ids = Sequence[int] | NDArray[np.integer[Any]]
OnePrompt = str | Ids | Mapping[str, Any]
Some = str | int | slice
FLAGS = ("force", "yes")
LISTS = {
    "side": "sides",
    "edit": "edits",
    "metric": "metrics",
    "plugin": "plugins",
}  # options that repeat, where the argument's name is another
OPTION = re.compile(
    r"(?<![\w/.-])--(force|yes|hooks|positions|next|dtype|compress|compute|process|bos|threads|side|edit|ablate|metric|plugin)\b"
)
MOST_ARGUMENT = 100_000  # bytes; Linux takes no argument above 131,072


def dump(
    prompts: OnePrompt | Sequence[OnePrompt],
    model: str | os.PathLike[str] | None = None,
    hooks: str | Sequence[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    sides: Sequence[str] = (),
    next: int | None = None,
    positions: Some | None = None,
    dtype: Literal["f32", "f16", "bf16"] | None = None,
    compress: Literal["none", "gzip"] | None = None,
    compute: Literal["f32", "bf16", "int8"] | None = None,
    process: str | None = None,
    edits: Sequence[str | Mapping[str, Any]] = (),
    ablate: Sequence[str] = (),
    metrics: Sequence[str] = (),
    plugins: Sequence[str] = (),
    bos: bool | Literal["yes", "no", "auto"] | None = None,
    threads: int | None = None,
    yes: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> Cache:
    """Runs a model on prompts with `weir dump` and opens the resulting file.

    `prompts`    a text, a list of token ids, or a dict with "prompt" or "ids", whose other fields are stored with it
                 (`cache.prompt(i).fields`); or a list of these
    `model`      a Hugging Face folder, a .gguf file, or an org/name in the Hugging Face cache; None: the model named by
                 WEIR_MODEL in the environment, or else rill, which comes with weir
    `hooks`      what to store, as in `weir dump --hooks`: "pattern,z:5.3,resid_post:-1@-1", or a list of
                 such terms; None: resid_pre, pattern, z, mlp_post and resid_post
    `out`        the file to write; None: a temporary one, removed when the object is closed or gone
    `next`       store this many most likely next tokens at each position, and each prompt's loss
    `sides`      the prompts are dicts, each of a prompt per side: ["clean", "corrupt"], or ["sent=clean"] for a side
                 whose prompt is the member "clean". "z#clean" selects a side; the prompts have "side" and "line" among
                 their fields
    `positions`  store these positions only: -1, slice(0, 16), "0:16", or a field of the dicts, "subject[-1]"
    `dtype`      the type of stored numbers: "f32" (None), "f16" or "bf16"
    `compute`    precision of the weight matrix products, "f32" (None), "bf16" or "int8", if the CPU supports it
    `process`    process the weights as TransformerLens does: "tl", or any of fold_ln, center_writing_weights,
                 center_unembed and fold_value_biases, joined by commas
    `edits`      changes to what the model computes, in order, each as in `weir dump --edit`: "z:5.3 = 0", or
                 "resid_post:8@-1 += 4 * love.npy"; or a dict of the same parts, {"select": "z:5.3", "op": "=", "value":
                 0} (docs/interventions.md). `cache.attrs["edits"]` has them as JSON
    `ablate`     ablations, after the edits, each as in `weir dump --ablate`: "z:5.3" sets to zero, "z:5.3=mean" to the
                 mean over the prompt's own positions, "z:5.3=ref.h5" to the mean of a file
    `metrics`    numbers of each prompt, as in `weir run --metric`: "logit(answer) - logit(wrong)", "entropy@-1".
                 `cache.results["metrics"]` has them, [metric, prompt]
    `plugins`    shared objects that register hooks of their own, each "FILE" or "FILE:ARGS" (docs/hooks.md)
    `yes`        write files of more than 4 GB, which are refused otherwise
    `force`      replace `out` if it exists
    `quiet`      do not show weir's messages and progress on stderr

    The binary is $WEIR, or weir on PATH, or build/cli/weir of the tree that this module lies in. An Error has the line
    with which it failed.

    Example:

        cache = weir.dump("The cat sat on the mat", hooks="pattern,resid_post")
        cache["pattern", 0]                 # [prompt, head, query, key]
    """
    given, stdin = _prompts(prompts)
    options = {
        "model": None if model is None else os.fspath(model),
        "hooks": hooks if hooks is None or isinstance(hooks, str) else ",".join(hooks),
        "next": next,
        "positions": None if positions is None else _positions(positions),
        "dtype": dtype,
        "compress": compress,
        "compute": compute,
        "process": process,
        "bos": ("no", "yes")[bos] if isinstance(bos, bool) else bos,
        "threads": threads,
    }
    given += [f"--{name}={value}" for name, value in options.items() if value is not None]
    lists: dict[str, Sequence[str | Mapping[str, Any]]] = {
        "side": sides,
        "edit": edits,
        "ablate": ablate,
        "metric": metrics,
        "plugin": plugins,
    }
    given += [
        f"--{name}={_text(item)}" for name, items in lists.items() for item in _listed(LISTS.get(name, name), items)
    ]
    given += ["--yes"] if yes else []
    given += ["--force"] if force else []
    if out is not None:
        _run([*given, f"--output={os.fspath(out)}"], stdin, quiet)
        return Cache(Store.open(out))
    return _dump_to_scratch(given, stdin, quiet)


def _dump_to_scratch(given: list[str], stdin: bytes, quiet: bool) -> Cache:
    scratch = tempfile.mkdtemp(prefix="weir-")
    try:
        path = os.path.join(scratch, "run.h5")
        _run([*given, f"--output={path}"], stdin, quiet)
        return Cache(Store.open(path), scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _run(given: list[str], stdin: bytes, quiet: bool) -> None:
    for argument in given:
        if "\0" in argument:
            raise Error("a NUL byte cannot be given to weir: give that prompt as token ids")
    try:
        _binary.run(["dump", *given], stdin, quiet)
    except Error as error:
        raise Error(_as_arguments(str(error)), error.code) from None


def _as_arguments(complaint: str) -> str:
    """Options that the line of the binary advises, as this function calls them: --force is force=True."""
    names = {**LISTS, **{flag: f"{flag}=True" for flag in FLAGS}}
    return OPTION.sub(lambda option: names.get(option[1], option[1]), complaint)


def _prompts(prompts: OnePrompt | Sequence[OnePrompt]) -> tuple[list[str], bytes]:
    """Options, and what goes to standard input: prompts that are too long for a command line."""
    if isinstance(prompts, (bytes, bytearray)) or not isinstance(prompts, Iterable):
        raise TypeError(f"a prompt is a text, token ids or a dict, or a list of these, not {type(prompts).__name__}")
    each: list[Any] = [prompts] if isinstance(prompts, (str, Mapping)) or _is_ids(prompts) else list(prompts)
    if not each:
        raise ValueError("there are no prompts")
    if any(isinstance(p, (bytes, bytearray)) for p in each):
        raise TypeError("a prompt is bytes: decode them, as in b'...'.decode()")
    if not any(isinstance(p, Mapping) for p in each):
        given = [f"--prompt={p}" if isinstance(p, str) else f"--tokens={','.join(map(str, _ids(p)))}" for p in each]
        if max(len(os.fsencode(g)) for g in given) < MOST_ARGUMENT and sum(map(len, given)) < 5 * MOST_ARGUMENT:
            return given, b""
    return ["--file=-"], "".join(json.dumps(_line(p), default=_plain) + "\n" for p in each).encode()


def _listed(name: str, items: Sequence[str | Mapping[str, Any]]) -> Sequence[str | Mapping[str, Any]]:
    if isinstance(items, (str, Mapping)):
        raise TypeError(f"{name} is a list, as in [{items!r}], not a {'text' if isinstance(items, str) else 'dict'}")
    return items


def _text(item: str | Mapping[str, Any]) -> str:
    """An edit that is a dict as its JSON; all else is text already."""
    return json.dumps(dict(item), default=_plain) if isinstance(item, Mapping) else item


def _ids(prompt: Any) -> list[int]:
    return [int(i) for i in prompt]


def _line(prompt: Any) -> dict[str, Any]:
    """A prompt as its line of JSON."""
    if isinstance(prompt, Mapping):
        return dict(prompt)
    return {"prompt": prompt} if isinstance(prompt, str) else {"ids": _ids(prompt)}


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON has them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a prompt's dict holds a {type(value).__name__}, which JSON does not have")


def _is_ids(prompts: Any) -> bool:
    """Whether this is one prompt of token ids: whole numbers, of any kind that counts as such."""
    try:
        return len([operator.index(i) for i in prompts]) > 0
    except TypeError:
        return False


def _positions(positions: Some) -> str:
    if not isinstance(positions, slice):
        return str(positions)
    ends = ["" if end is None else str(end) for end in (positions.start, positions.stop)]
    return ":".join([*ends, str(positions.step)] if positions.step is not None else ends)
