"""Every family reads the keys of config.json that its configuration class in transformers reads, as it reads them, and no others.

The cases are those of config_cases.py, thousands; what transformers makes of them is kept (make_config_cases.py). Of each:

- transformers runs: weir computes the same. Or weir says WEIR_E_UNSUPPORTED, but only of what changes what transformers
  computes: to refuse for a key that means nothing there is a fault.
- transformers runs, but has made up tensors that the files lack: weir refuses.
- transformers fails: weir may refuse or run.

TOLERATED are the cases that are otherwise, with the reason.
"""
import re
import subprocess

import h5py
import json
import numpy as np
import pytest
import transformers

import cache
import config_cases
import make_config_cases
import prompts
import reference
import wrappers
from cache import FIXTURES
from measure import BOUND

KEPT, ATTRIBUTES = make_config_cases.load()
PROGRAM = cache.ROOT / "build/tests/model/logits_cli"
USAGE, INPUT, UNSUPPORTED = 2, 3, 4

# what weir refuses all the same: part of what it says, and why
TOLERATED = {
    "does not give the number of": "a size that the file leaves out is not made up, though it may be the class's own",
    '"use_bidirectional_attention"': "by the default attention of transformers (not eager, which the cases are run with) it acts",
    '"window_size" is': "GPT-Neo with a window of nothing: queries without a key",
    "lack: transformer.h.0.input_layernorm": "Falcon's one norm, which the file has under the name of the first of two",
    "experts cannot be chosen": "none of the experts: a config that cannot be meant",
}


every_folder = pytest.mark.parametrize("name", KEPT)


class Weir:
    """One process for all cases of a folder, whose config.json is another one for each."""

    def __init__(self, name, scratch):
        self.name, self.folder = name, scratch
        config_cases.place_weights(name, scratch)
        program = [PROGRAM, make_config_cases.EVERY, *prompts.tokens(make_config_cases.LENGTH)]
        self.process = subprocess.Popen([*map(str, program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, config):
        """-> status, logits or the message"""
        (self.folder / "config.json").write_text(json.dumps(config_cases.whole_config(self.name, config)))
        self.process.stdin.write(f"{self.folder}\n")
        self.process.stdin.flush()
        status, text = self.process.stdout.readline().rstrip("\n").split("\t")
        return int(status), np.array(text.split(), np.float64) if status == "0" else text.replace(str(self.folder) + "/", "")

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


def difference(kept, base, status, said, bound):
    """what is wrong, or None"""
    runs = "same" in kept or "logits" in kept
    if status not in (0, USAGE, INPUT, UNSUPPORTED):
        return f"status {status}: {said}"
    if not runs:
        return "runs with tensors that the files lack: " + ", ".join(kept["lacks"]) if status == 0 and "lacks" in kept else None
    if status == 0:
        wanted = kept.get("logits", base)
        error = reference.error(said[None, None], wanted[None, None].astype(np.float64)) if said.shape == wanted.shape else np.inf
        return None if error <= bound else f"differs by {error:.1e}" + (" from the unchanged" if "same" in kept else "")
    if status == UNSUPPORTED and "logits" in kept:
        return None
    return f"refused: {said}" if "logits" in kept else f"refused, though it means nothing: {said}"


def worst_float32(name):
    ref = wrappers.reference(name) if name in config_cases.INSIDE else max((FIXTURES / name).glob("ref_*.h5"))
    with h5py.File(ref) as file:
        return float(file.attrs.get("float32_error", 0))


@every_folder
def test_each_key_means_what_it_means_in_transformers(tmp_path, name):
    weir, kept, found = Weir(name, tmp_path), KEPT[name], {}
    bound = max(BOUND, 4 * worst_float32(name))
    cases = config_cases.cases(name)
    assert cases.keys() == kept.keys(), "script/oracle tests/model/make_config_cases.py"
    for case, changes in cases.items():
        status, said = weir.run(config_cases.changed(config_cases.base_config(name), changes))
        wrong = difference(kept[case], kept["as it is"]["logits"], status, said, bound)
        if wrong and not any(reason in wrong for reason in TOLERATED):
            found[case] = wrong
    weir.close()
    assert not found, f"{len(found)} of {len(cases)} cases:\n" + "\n".join(f"  {case}: {wrong}" for case, wrong in found.items())


def test_what_is_kept_is_of_the_transformers_that_is_installed():
    assert ATTRIBUTES["transformers"] == transformers.__version__


def test_every_family_has_cases():
    rows = set(re.findall(r'\.model_type = "(\w+)"', (cache.ROOT / "lib/model/family.c").read_text())) - {"HookedTransformer"}
    assert {config_cases.base_config(name)["model_type"] for name in KEPT} == rows


def test_every_key_that_weir_reads_has_cases():
    """in every family, its own or not"""
    text = (cache.ROOT / "lib/model/keys.c").read_text()
    text = text[:text.index("HookedTransformer's")]
    read = {name.split(".")[-1] for names in re.findall(r'"([\w|.]+)"', text) for name in names.split("|")}
    tried = set(config_cases.every_key()) | set(config_cases.NESTED) | {key for changes in config_cases.SEVERAL.values() for key in changes}
    assert read - tried - {"_remove_final_layer_norm", "attention_layers"} == set()
