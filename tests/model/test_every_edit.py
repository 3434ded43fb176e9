"""One edit and more at every hook point of every tiny model, in every layer (every_edit_cli.c): the edited value is what the edit says, to
the bit; what comes before it, other prompts and earlier rows stay, to the bit; what follows is what a hook in C that makes the same change
gives, to the bit, which for five families PyTorch judges (test_edits.py). An edit that changes nothing changes no bit."""
import json
import subprocess
from pathlib import Path

import pytest

import cache
from cache import FIXTURES, WEIR

EVERY_EDIT_CLI = Path(WEIR).parents[1] / "tests/model/every_edit_cli"
MODELS = sorted(path.parent.name for path in FIXTURES.glob("*/config.json"))
# where an edit reaches no logit: an expert that is chosen either way has the weight 1, alone (gpt_oss, mixtral) or beside one far enough
# from it (phimoe); of a window of one key each query has all; a norm whose epsilon is lost beside the mean square (Helium's 1e-8) makes the
# same of half its input as of the whole
INPUTS = {"attn_in", "q_input", "k_input", "v_input"}
IDLE = {
    "helium": INPUTS, "helium_biased": INPUTS, "helium_tied": INPUTS,
    "gpt_oss_plain": {"router"}, "mixtral_one": {"router"}, "phimoe": {"router"}, "phimoe_plain": {"router"},
    "mistral_narrow": {"q_input", "k_input", "q", "k", "rot_q", "rot_k", "attn_scores"},
}


def point_of(fault):
    return fault.replace(".", ":").replace("@", ":").split(":")[0]


@pytest.mark.parametrize("model", MODELS)
def test_edits_at_every_hook_point(model):
    done = subprocess.run([EVERY_EDIT_CLI, FIXTURES / model], capture_output=True, text=True)
    assert done.stdout.endswith(" sites\n"), done.stderr
    *faults, sites = done.stdout.splitlines()
    idle = [fault for fault in faults if fault.endswith(": changed no logit")]
    assert faults == idle, [fault for fault in faults if fault not in idle][:20]
    assert {point_of(fault) for fault in idle} == IDLE.get(model, set()), idle
    if IDLE.get(model) is INPUTS:                                          # what another prompt has there does change logits
        assert all("*= 0.5" in fault for fault in idle), idle
    hooks = json.loads(cache.weir("hooks", "-m", FIXTURES / model, "--json").stdout)["hooks"]
    assert int(sites.split()[0]) == sum(len(h["layers"]) or 1 for h in hooks if h["short"] != "expert_indices")


def test_all_families_are_among_them():
    assert {"gpt2", "bloom", "gpt_oss", "phimoe", "lens_solu", "qwen3_moe_mixed"} < set(MODELS) and len(MODELS) > 100
