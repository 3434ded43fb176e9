"""From the names that people write to the full name of a hook point and a layer.

Three kinds of names are taken: full names ("blocks.3.attn.hook_z", and those of newer TransformerLens bridges), weir's
short names ("ln1_scale"), and TransformerLens's short-hand ("attn", "post", "k6", "scale4ln1").
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterable
from typing import SupportsIndex

from weir._error import NotStored
from weir._points import ALIASES, BY_MODEL, HOOK_NAMES

Key = str | tuple[str] | tuple[str, SupportsIndex | None] | tuple[str, SupportsIndex | None, str | None]

# TransformerLens's short-hand: other words for a hook, the part of the block that a hook is in, words for the parts
WORDS = {"attn": "pattern", "attn_logits": "attn_scores", "key": "k", "query": "q", "value": "v",
         "mlp_pre": "pre", "mlp_mid": "mid", "mlp_post": "post"}  # fmt: skip
PARTS = dict.fromkeys(["k", "v", "q", "z", "rot_k", "rot_q", "result", "pattern", "attn_scores"], "attn")
PARTS |= dict.fromkeys(["pre", "post", "mid", "pre_linear"], "mlp")
PART_WORDS = {"a": "attn", "attention": "attn", "m": "mlp", "b": "", "block": "", "blocks": ""}
OF_NORMS = ("scale", "normalized")

IN_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
RUN_TOGETHER = re.compile(r"([a-z]+)(\d+)(.*)", re.S)  # scale4ln1


def parse(key: object) -> tuple[str, int | None]:
    """A key as it was written: the full name with "{layer}" in place of the layer, and the layer.

    parse(("attn", 3)) is ("blocks.{layer}.attn.hook_pattern", 3); parse("k6") is ("blocks.{layer}.attn.hook_k", 6).
    """
    name, layer, part = _pieces(key)
    number = None if layer is None else operator.index(layer)
    if name in HOOK_NAMES:
        return HOOK_NAMES[name], number
    full = IN_BLOCK.fullmatch(name)
    if full:
        return _canonical("blocks.{layer}." + full[2]), int(full[1])
    if layer is None and part is None and ("." in name or name.startswith("hook_")):
        return _canonical(name), None
    together = RUN_TOGETHER.fullmatch(name)
    if together:
        name, number, part = together[1], int(together[2]), together[3]
    return _canonical(_short_hand(name, number is not None, part)), number


def _pieces(key: object) -> tuple[str, SupportsIndex | None, str | None]:
    parts = key if isinstance(key, tuple) else (key,)
    if not 1 <= len(parts) <= 3 or not isinstance(parts[0], str):
        raise TypeError(f"a key is a name or (name, layer) or (name, layer, layer_type), not {key!r}")
    name, layer, part = (*parts, None, None)[:3]
    if not (layer is None or isinstance(layer, SupportsIndex)) or not (part is None or isinstance(part, str)):
        raise TypeError(f"a key is a name or (name, layer) or (name, layer, layer_type), not {key!r}")
    return name, layer, part


def _short_hand(name: str, in_block: bool, part: str | None) -> str:
    name = WORDS.get(name, name)
    part = PARTS.get(name) or PART_WORDS.get(part or "", part)
    if name in OF_NORMS and not in_block:
        return f"ln_final.hook_{name}"
    return ("blocks.{layer}." if in_block else "") + (f"{part}." if part else "") + f"hook_{name}"


def _canonical(full: str) -> str:
    return HOOK_NAMES[ALIASES[full]] if full in ALIASES else full


def nearest(key: object, stored: Iterable[str]) -> list[str]:
    """Up to four names that look like what was asked for, those that are stored first."""
    asked = _pieces(key)[0].rpartition(".")[2].removeprefix("hook_")
    names = dict.fromkeys([*stored, *HOOK_NAMES, *WORDS, *PARTS])
    holding = [name for name in names if len(asked) > 2 and asked in name]
    return list(dict.fromkeys([*holding, *difflib.get_close_matches(asked, names, 4)]))[:4]


def ranges(numbers: Iterable[int]) -> str:
    """[0, 1, 2, 5] as "0-2, 5"."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def not_stored(key: object, path: str, stored: Iterable[str]) -> NotStored:
    """What to raise for a name that is not among the `stored` short names of the file at `path`."""
    stored = list(stored)
    full, _ = parse(key)
    short = next((short for short, hook in HOOK_NAMES.items() if hook == full), None)
    has = f"{path} has {', '.join(stored) or 'none'}"
    if short:
        return NotStored(f"{short} is not stored: {has}; dump with {short} in hooks")
    if full in BY_MODEL:
        names = " or ".join(BY_MODEL[full])
        return NotStored(f"which hook point {full} is differs between models: write {names}: {has}")
    near = nearest(key, stored)
    hint = f" (nearest: {', '.join(near)})" if near else ""
    return NotStored(f"no hook point is named {_pieces(key)[0]!r}{hint}: {has}")
