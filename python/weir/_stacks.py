"""The residual stream taken apart and layers put together, as TransformerLens's ActivationCache does it.

Not here is what needs weights, which a file does not have: apply_ln, logit_attrs, compute_head_results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from weir._activations import Activations
from weir._error import NotStored

PosSlice = int | slice | tuple[int | None, ...] | Sequence[int] | None
Stack = NDArray[np.float32]
Labelled = tuple[Stack, list[str]]


def _pos(values: NDArray[Any], pos_slice: PosSlice, axis: int) -> NDArray[Any]:
    """A TransformerLens pos_slice of an axis counted from the end: a number drops the axis, a tuple is a slice."""
    if pos_slice is None:
        return values
    at: Any = slice(*pos_slice) if isinstance(pos_slice, tuple) else pos_slice
    at = at if isinstance(at, (int, slice, np.integer)) else list(at)
    index = (..., at, *((slice(None),) * (-axis - 1)))
    picked: NDArray[Any] = values[index]
    return picked


class Stacks(Activations):
    """Activations with what TransformerLens's ActivationCache makes of them."""

    def _depth(self, layer: int | None, least: int = 0) -> int:
        """TransformerLens's `layer`: how many layers are taken; None and -1 are all."""
        if layer is None or layer == -1:
            return self.n_layers
        if not least <= layer <= self.n_layers:
            raise IndexError(f"layer {layer}: from {least} to {self.n_layers}, or -1 for all")
        return layer

    @overload
    def accumulated_resid(
        self,
        layer: int | None = None,
        incl_mid: bool = False,
        pos_slice: PosSlice = None,
        mlp_input: bool = False,
        *,
        return_labels: Literal[False] = False,
    ) -> Stack: ...

    @overload
    def accumulated_resid(
        self,
        layer: int | None = None,
        incl_mid: bool = False,
        pos_slice: PosSlice = None,
        mlp_input: bool = False,
        *,
        return_labels: Literal[True],
    ) -> Labelled: ...

    def accumulated_resid(
        self,
        layer: int | None = None,
        incl_mid: bool = False,
        pos_slice: PosSlice = None,
        mlp_input: bool = False,
        *,
        return_labels: bool = False,
    ) -> Stack | Labelled:
        """The residual stream as it enters each layer up to `layer`: [layers, prompt, pos, d_model].

        With `layer` None, -1 or n_layers the last entry is the stream behind the last layer. `incl_mid` puts the
        resid_mid of the layers before `layer` between, `mlp_input` that of `layer` at the end. Needs resid_pre,
        resid_post and resid_mid of what it returns. The final norm is not applied: a file has no weights.

        Example:

            stack, labels = cache.accumulated_resid(incl_mid=True, return_labels=True)
            labels                          # ["0_pre", "0_mid", "1_pre", ..., "final_post"]
        """
        depth = self._depth(layer)
        asked: list[tuple[str, int, str]] = []
        for i in range(min(depth + 1, self.n_layers)):
            asked.append(("resid_pre", i, f"{i}_pre"))
            if (incl_mid and i < depth) or (mlp_input and i == depth):
                asked.append(("resid_mid", i, f"{i}_mid"))
        if depth == self.n_layers:
            asked.append(("resid_post", depth - 1, "final_post"))
        stack = np.stack([_pos(self[name, i], pos_slice, -2) for name, i, _ in asked])
        return (stack, [label for _, _, label in asked]) if return_labels else stack

    @overload
    def decompose_resid(
        self,
        layer: int | None = None,
        mlp_input: bool = False,
        mode: Literal["all", "mlp", "attn"] = "all",
        pos_slice: PosSlice = None,
        incl_embeds: bool = True,
        *,
        return_labels: Literal[False] = False,
    ) -> Stack: ...

    @overload
    def decompose_resid(
        self,
        layer: int | None = None,
        mlp_input: bool = False,
        mode: Literal["all", "mlp", "attn"] = "all",
        pos_slice: PosSlice = None,
        incl_embeds: bool = True,
        *,
        return_labels: Literal[True],
    ) -> Labelled: ...

    def decompose_resid(
        self,
        layer: int | None = None,
        mlp_input: bool = False,
        mode: Literal["all", "mlp", "attn"] = "all",
        pos_slice: PosSlice = None,
        incl_embeds: bool = True,
        *,
        return_labels: bool = False,
    ) -> Stack | Labelled:
        """What adds up to the residual stream that enters `layer`: [components, prompt, pos, d_model].

        The embedding (and pos_embed, where the model has one), then attn_out and mlp_out of each layer before `layer`;
        None, -1 and n_layers are all layers. `mlp_input` adds attn_out of `layer` itself. `mode` "attn" or "mlp" takes
        those only. Needs embed, attn_out and mlp_out in the file.

        Example:

            parts, labels = cache.decompose_resid(return_labels=True)
            parts.sum(axis=0)               # cache["resid_post", -1], but for rounding
        """
        if mode not in ("all", "mlp", "attn"):
            raise ValueError(f"mode {mode!r}: all, mlp or attn")
        depth = self._depth(layer)
        asked: list[tuple[Any, str]] = [((name,), name) for name in self._embeds()] if incl_embeds else []
        kinds = ["attn_out"] if mode != "mlp" else []
        kinds += ["mlp_out"] if mode != "attn" and not self.config.get("attn_only") else []
        asked += [((name, i), f"{i}_{name}") for i in range(depth) for name in kinds]
        if mlp_input and mode != "mlp":
            asked.append((("attn_out", depth), f"{depth}_attn_out"))
        if not asked:
            raise ValueError("there are no components in front of layer 0")
        stack = np.stack([_pos(self[key], pos_slice, -2) for key, _ in asked])
        return (stack, [label for _, label in asked]) if return_labels else stack

    def _embeds(self) -> list[str]:
        """What the stream begins with. A file does not say whether its model has pos_embed: the stream does.

        Shortformer models give pos_embed to queries and keys alone; TransformerLens counts it all the same.
        """
        if self.config.get("positional_embedding_type") == "shortformer":
            return ["embed"]
        if "pos_embed" in self:
            return ["embed", "pos_embed"]
        if ("resid_pre", 0) in self and "embed" in self and not self.attrs.get("edits"):
            first, embed = self.points["resid_pre"][0, 0, 0], self.points["embed"][0, 0]
            if np.isfinite(first).all() and np.isfinite(embed).all() and not np.array_equal(first, embed):
                raise NotStored(f"pos_embed is not stored in {self.path}; dump with pos_embed in hooks")
        return ["embed"]

    def stack_activation(self, activation_name: str, layer: int | None = -1, sublayer_type: str | None = None) -> Stack:
        """One hook point of all layers before `layer` (None and -1: of all): [layers, prompt, ...].

        Example:

            cache.stack_activation("pattern")               # [layers, prompt, head, query, key]
            cache.stack_activation("scale", 2, "ln1")       # layers 0 and 1: [2, prompt, pos, 1]
        """
        depth = self._depth(layer, least=1)
        places = [self._store.find((activation_name, i, sublayer_type)) for i in range(depth)]
        return self._read(places[0].point, (slice(depth),))

    @overload
    def stack_head_results(
        self,
        layer: int | None = -1,
        *,
        return_labels: Literal[False] = False,
        incl_remainder: bool = False,
        pos_slice: PosSlice = None,
    ) -> Stack: ...

    @overload
    def stack_head_results(
        self,
        layer: int | None = -1,
        *,
        return_labels: Literal[True],
        incl_remainder: bool = False,
        pos_slice: PosSlice = None,
    ) -> Labelled: ...

    def stack_head_results(
        self,
        layer: int | None = -1,
        *,
        return_labels: bool = False,
        incl_remainder: bool = False,
        pos_slice: PosSlice = None,
    ) -> Stack | Labelled:
        """What each head of the layers before `layer` writes: [layers * heads, prompt, pos, d_model].

        `incl_remainder` adds an entry with the rest of the stream. Needs result in the file (`hooks="result"`), which
        would be z W_O otherwise: a file has no weights.

        Example:

            stack, labels = cache.stack_head_results(return_labels=True)
            labels                          # ["L0H0", "L0H1", ..., "L1H0", ...]
        """
        results = np.moveaxis(self.stack_activation("result", layer), -2, 1)  # [layer, head, prompt, pos, d_model]
        n_layers, n_heads = results.shape[:2]
        stack = _pos(results.reshape(-1, *results.shape[2:]), pos_slice, -2)
        labels = [f"L{i}H{head}" for i in range(n_layers) for head in range(n_heads)]
        if incl_remainder:
            rest = _pos(self["resid_post", n_layers - 1], pos_slice, -2) - stack.sum(axis=0)
            stack, labels = np.concatenate([stack, rest[None]]), [*labels, "remainder"]
        return (stack, labels) if return_labels else stack
