#!/usr/bin/env python3
"""Whether weir errs more than PyTorch float32 does: both against PyTorch float64, over several prompts, at each kind of hook point.

    script/oracle tests/model/noise.py ROW [PROMPTS]       a row of wrappers.py, 24 prompts of 90 ids

Of each point in the last layer that has it: the mean over prompts of the largest error over rows (reference.py), and the root
mean square of the error over that of the value, of weir, of PyTorch, and their ratio. Rounding is noise: ratios about 1 say
that a difference on one prompt is chance; one point where the ratio leaps says that an operation before it is less exact than it might be.
"""
import re
import sys
import tempfile

import make
import numpy as np

import cache
import positions
import prompts
import reference
import wrappers


def relative(x, truth):
    seen = np.isfinite(truth)
    return float(np.sqrt(((x - truth)[seen] ** 2).mean() / (truth[seen] ** 2).mean()))


def measured(folder, family, paths, ids, weir):
    """point -> weir's and PyTorch's largest errors, then their mean square ones"""
    truth, rounded = (reference.run(folder, ids, family, dtype, paths) for dtype in ("float64", "float32"))
    found = {}
    for name in sorted(truth.keys() & rounded.keys() & weir.keys()):
        both = weir[name], rounded[name]
        found[name] = [f(x, truth[name]) for f in (reference.error, relative) for x in both]
    return found


def values(run, prompt):
    return {name: data[at][prompt:prompt + 1].astype(np.float64) for name, (data, at) in reference.points(run.file).items()}


def main(row, n_prompts=24):
    config, shapes, family = wrappers.kept(row, "config", "shapes", "family")
    with tempfile.TemporaryDirectory() as scratch:
        folder = positions.write(scratch + "/model", config, shapes, family)
        texts = [prompts.tokens(90, seed) for seed in range(int(n_prompts))]
        run = cache.dump(scratch + "/run.h5", folder, texts)
        each = [measured(str(folder), family, wrappers.paths_of(config), ids, values(run, i)) for i, ids in enumerate(texts)]
    last = {re.sub(r"blocks\.\d+\.", "", name): name for name in each[0]}
    for name in last.values():
        largest, largest_torch, rms, rms_torch = np.mean([found[name] for found in each], axis=0)
        if rms_torch > 0:
            print(f"{name:36} largest {largest:.1e} {largest_torch:.1e} {largest / largest_torch:5.2f}   "
                  f"rms {rms:.1e} {rms_torch:.1e} {rms / rms_torch:5.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
