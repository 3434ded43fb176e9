"""Model files as they lie on people's disks: other names, other types, more or fewer tensors than the model needs, several
files. Each is made of a fixture of tests/model (whose unchanged copy is right against PyTorch there) by the libraries
that people use; what must compute the same is compared value by value with the fixture.
"""
import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from copies import change, copy_of, dump, load, read_safetensors, refused, save, weir_limited, write_safetensors
from program import FIXTURES, INPUT, SANITIZED, UNSUPPORTED, USAGE


MODEL = "model.safetensors"
FAMILIES = ["llama", "gpt2", "opt", "gpt_neox", "bloom", "phi", "falcon", "mpt", "mixtral", "gemma2", "lens_gelu"]


def values(path):
    with h5py.File(path) as file:
        return {name: data[...] for name, data in file["activations"].items()}


def notes(done):
    return [line[len("weir: note: "):] for line in done.stderr.splitlines() if line.startswith("weir: note: ")]


def run(model, out, *args):
    """-> the notes; the values are in `out`"""
    done = dump(model, out, "--tokens", "5,7,9,2,5", "--hooks", "*", "--force", *args)
    assert done.returncode == 0, done.stderr
    return notes(done)


def same(tmp_path, model, like):
    """the notes of a run of `model`, whose every value is bit for bit that of the model `like`"""
    said = run(model, tmp_path / "out.h5")
    run(like, tmp_path / "like.h5")
    got, want = values(tmp_path / "out.h5"), values(tmp_path / "like.h5")
    assert sorted(got) == sorted(want)
    for name in want:
        assert np.array_equal(got[name], want[name], equal_nan=True), name
    return said


def noise(*shape):
    return "F32", shape, np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32).tobytes()


def rows_reversed(tensor):
    dtype, shape, data = tensor
    n = len(data) // shape[0]
    return dtype, shape, b"".join(data[i:i + n] for i in range(len(data) - n, -1, -n))


# ---- tensors that are not the model's --------------------------------------------------------------------------------

@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_uses_all_of_its_files_says_nothing(tmp_path, family):
    assert run(FIXTURES / family, tmp_path / "out.h5") == []


MATTER = {
    "adapter": ["model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.lora_B.weight"],
    "reward head": ["score.weight"],
    "value head": ["v_head.summary.weight", "v_head.summary.bias"],
    "other tokens' heads": ["model.mtp.0.weight", "medusa_head.0.weight", "medusa_head.1.weight", "medusa_head.2.weight"],
}


@pytest.mark.parametrize("case", MATTER)
def test_tensors_beyond_the_model_are_told_in_one_line(tmp_path, case):
    names = MATTER[case]
    folder = change(copy_of(tmp_path), lambda t: t.update({name: noise(4, 6) for name in names}))
    [note] = same(tmp_path, folder, FIXTURES / "llama")
    assert note.startswith(f"{len(names)} tensor") and all(name in note for name in sorted(names)[:3])
    assert ("..." in note) == (len(names) > 3)


SILENT = {
    "llama": ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq",
              "model.layers.1.self_attn.rotary_emb.cos_cached"],
    "gpt2": ["h.0.attn.masked_bias", "h.1.attn.masked_bias", "position_ids"],
    "gpt_neox": ["gpt_neox.layers.0.attention.rotary_emb.inv_freq", "gpt_neox.layers.0.attention.masked_bias"],
    "lens_gelu": ["blocks.0.attn.IGNORE", "blocks.0.attn.mask"],
}


@pytest.mark.parametrize("family", SILENT)
def test_buffers_of_old_versions_are_no_loss_and_not_told(tmp_path, family):
    masks = {"gpt2": {"h.0.attn.bias": noise(1, 1, 9, 9)}, "gpt_neox": {"gpt_neox.layers.0.attention.bias": noise(1, 1, 5, 5)}}
    folder = change(copy_of(tmp_path, family),
                    lambda t: t.update({**{n: noise(3) for n in SILENT[family]}, **masks.get(family, {})}))
    assert same(tmp_path, folder, FIXTURES / family) == []


UNREAD = {"five dimensions": ("F32", [1, 2, 1, 3, 2], 48), "F8": ("F8_E4M3", [2, 3], 6), "complex": ("C64", [2], 16),
          "four bits": ("F4", [4], 2), "a type of the future": ("F128", [1], 16)}


@pytest.mark.parametrize("case", UNREAD)
def test_an_unused_tensor_that_cannot_be_read_stops_nothing(tmp_path, case):
    dtype, shape, size = UNREAD[case]
    folder = copy_of(tmp_path)
    header, data = read_safetensors(folder / MODEL)
    header["visual.patch_embed.proj.weight"] = dict(dtype=dtype, shape=shape, data_offsets=[len(data), len(data) + size])
    write_safetensors(folder / MODEL, header, data + bytes(size))
    [note] = same(tmp_path, folder, FIXTURES / "llama")
    assert "visual.patch_embed.proj.weight" in note


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "model.layers.1.mlp.down_proj.weight", "lm_head.weight",
                                  "model.norm.weight"])
def test_a_needed_tensor_of_a_type_that_is_not_read_is_called_by_its_type(tmp_path, name):
    folder = copy_of(tmp_path)
    header, data = read_safetensors(folder / MODEL)
    begin, end = header[name]["data_offsets"]
    header[name] = dict(dtype="I8", shape=[end - begin], data_offsets=[begin, end])
    write_safetensors(folder / MODEL, header, data)
    refused(dump(folder, tmp_path / "out.h5"), UNSUPPORTED, name, "is of type I8", "convert", folder=tmp_path)


def test_a_bias_of_a_type_that_is_not_read_is_not_taken_for_none(tmp_path):
    folder = copy_of(tmp_path, "qwen2")
    header, data = read_safetensors(folder / MODEL)
    entry = header["model.layers.0.self_attn.q_proj.bias"]
    size = entry["data_offsets"][1] - entry["data_offsets"][0]
    entry.update(dtype="I8", shape=[size])
    write_safetensors(folder / MODEL, header, data)
    refused(dump(folder, tmp_path / "out.h5"), UNSUPPORTED, "q_proj.bias", "is of type I8", folder=tmp_path)


def test_an_index_may_name_a_tensor_that_nothing_needs(tmp_path):
    folder = copy_of(tmp_path)
    (folder / MODEL).rename(folder / "model-00001-of-00001.safetensors")
    shard = "model-00001-of-00001.safetensors"
    names = {name: shard for name in load(folder / shard)} | {"model.rotary_emb.gone": shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert same(tmp_path, folder, FIXTURES / "llama") == []


# ---- names -----------------------------------------------------------------------------------------------------------

WRAPPERS = ["_orig_mod.", "module.", "base_model.model.", "model.", "_forward_module.", "_fsdp_wrapped_module._orig_mod.",
            "policy.", "student.lm."]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "gpt_neox", "phi"])
def test_whatever_wraps_all_names_is_left_out_and_told(tmp_path, family, wrapper):
    folder = change(copy_of(tmp_path, family), lambda t: {wrapper + name: v for name, v in t.items()})
    [note] = same(tmp_path, folder, FIXTURES / family)
    assert f"'{wrapper}'" in note


@pytest.mark.parametrize("family, prefix", [("llama", "model."), ("gpt2", "transformer."), ("opt", "model."),
                                            ("opt", "model.decoder."), ("gpt_neox", "gpt_neox."), ("bloom", "transformer."),
                                            ("falcon", "transformer."), ("mpt", "transformer."), ("gemma2", "model.")])
def test_files_saved_without_the_familys_prefix_are_read(tmp_path, family, prefix):
    folder = change(copy_of(tmp_path, family),
                    lambda t: {name.removeprefix(prefix): v for name, v in t.items()})
    assert same(tmp_path, folder, FIXTURES / family) == []


def test_of_two_towers_the_one_with_an_embedding_is_the_model(tmp_path):
    def edit(tensors):
        wrapped = {"x.text." + name: v for name, v in tensors.items()}
        return wrapped | {"a.vision.layers.0.self_attn.o_proj.weight": noise(8, 8)}
    notes_ = same(tmp_path, change(copy_of(tmp_path), edit), FIXTURES / "llama")
    assert "'x.text.'" in notes_[0] and "a.vision" in notes_[1]


REPLACED = {
    "GPTQ": (["qweight", "qzeros", "scales", "g_idx"], "GPTQ"),
    "compressed-tensors": (["weight_packed", "weight_scale", "weight_shape"], "compressed-tensors"),
    "unmerged adapter": (["base_layer.weight", "lora_A.default.weight"], "merge"),
    "parametrization": (["parametrizations.weight.original"], "parametriz"),
}


@pytest.mark.parametrize("case", REPLACED)
def test_a_missing_tensor_is_told_with_what_is_there_in_its_place(tmp_path, case):
    endings, word = REPLACED[case]
    stem = "model.layers.0.self_attn.q_proj."

    def edit(tensors):
        del tensors[stem + "weight"]
        tensors.update({stem + ending: noise(4, 4) for ending in endings})
    folder = change(copy_of(tmp_path), edit)
    refused(dump(folder, tmp_path / "out.h5"), UNSUPPORTED, stem + "weight", "missing", stem + endings[0], word,
            folder=tmp_path)


# ---- the head --------------------------------------------------------------------------------------------------------

HEADS = {"llama": "lm_head.weight", "gpt_neox": "embed_out.weight", "gpt2": "lm_head.weight", "phi": "lm_head.weight"}


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "phi", "mixtral"])
def test_a_model_without_a_head_runs_and_has_no_logits(tmp_path, family):
    head = HEADS.get(family, "lm_head.weight")

    def edit(tensors):
        return {name: v for name, v in tensors.items() if not name.startswith(head.split(".")[0])}
    folder = change(copy_of(tmp_path, family), edit, tie_word_embeddings=False)
    assert run(folder, tmp_path / "out.h5") == []
    run(FIXTURES / family, tmp_path / "like.h5")
    got, want = values(tmp_path / "out.h5"), values(tmp_path / "like.h5")
    assert set(want) - set(got) == {"unembed", "logits"}
    for name in got:
        assert np.array_equal(got[name], want[name], equal_nan=True), name


@pytest.mark.parametrize("args", [["--hooks", "logits"], ["--hooks", "unembed"], ["--next", "3"]])
def test_what_needs_the_head_is_refused_with_the_reason(tmp_path, args):
    folder = change(copy_of(tmp_path), lambda t: t.pop("lm_head.weight") is None, tie_word_embeddings=False)
    done = dump(folder, tmp_path / "out.h5", "--tokens", "5,7,9", *args)
    refused(done, UNSUPPORTED, "no unembedding", folder=tmp_path)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "bloom", "opt", "phi", "gpt_neox", "falcon"])
@pytest.mark.parametrize("equal", [True, False])
def test_a_tied_model_with_a_head_of_its_own_is_untied_as_in_transformers(tmp_path, family, equal):
    """transformers 5.23 compares the two and ties them only where all values are equal (seen by loading these
    families with it, in float32 and with bfloat16 heads beside float32 embeddings)"""
    config = json.loads((FIXTURES / family / "config.json").read_text())
    embed = {"llama": "model.embed_tokens", "gemma2": "model.embed_tokens", "gpt2": "transformer.wte", "opt":
             "model.decoder.embed_tokens", "bloom": "transformer.word_embeddings", "phi": "model.embed_tokens",
             "gpt_neox": "gpt_neox.embed_in", "falcon": "transformer.word_embeddings"}[family] + ".weight"
    head = HEADS.get(family, "lm_head.weight")

    def untie(tensors):
        name = embed if embed in tensors else embed.split(".", 1)[1]
        tensors[head] = tensors[name] if equal else rows_reversed(tensors[name])
    tied = change(copy_of(tmp_path, family, "tied"), untie, tie_word_embeddings=True)
    like = change(copy_of(tmp_path, family, "like"), untie, tie_word_embeddings=False)
    said = same(tmp_path, tied, like)
    assert len(said) == (0 if equal else 1) and all("ties" in note and head in note for note in said)
    assert "vocab_size" in config


def test_gpt_neoxs_head_may_have_the_usual_name(tmp_path):
    folder = change(copy_of(tmp_path, "gpt_neox"), lambda t: t.update({"lm_head.weight": t.pop("embed_out.weight")}))
    assert same(tmp_path, folder, FIXTURES / "gpt_neox") == []


def test_tied_weights_may_be_kept_under_the_heads_name(tmp_path):
    """transformers 5.23 swaps the two names then"""
    folder = change(copy_of(tmp_path, name="head"), lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"]}) or
                    {n: v for n, v in t.items() if n != "model.embed_tokens.weight"}, tie_word_embeddings=True)
    like = change(copy_of(tmp_path, name="like"), lambda t: t.pop("lm_head.weight") is None, tie_word_embeddings=True)
    assert same(tmp_path, folder, like) == []


# ---- biases ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "olmo2", "granite", "mixtral", "cohere",
                                    "falcon", "mpt", "opt_plain", "gpt_neo", "gptj", "gpt_neox_half", "stablelm",
                                    "starcoder2_sliding", "nemotron", "gpt_oss_plain", "smollm3", "qwen3_moe_mixed", "phimoe_plain"])
def test_biases_that_the_config_denies_are_not_used_and_told(tmp_path, family):
    """transformers builds its modules by the config and drops what else a file has"""
    def edit(tensors):
        maps = [name for name, (_, shape, _) in tensors.items() if name.endswith(".weight") and len(shape) == 2 and
                "embed" not in name and "wte" not in name and "wpe" not in name and "lm_head" not in name]
        new = {name[:-6] + "bias": noise(tensors[name][1][0]) for name in maps if name[:-6] + "bias" not in tensors}
        assert new
        tensors.update(new)
    folder = change(copy_of(tmp_path, family), edit)
    [note] = same(tmp_path, folder, FIXTURES / family)
    assert ".bias" in note and "no part of the model" in note


# ---- weir info -------------------------------------------------------------------------------------------------------

def test_info_lists_every_tensor_that_is_not_used(tmp_path):
    names = [f"model.layers.0.self_attn.q_proj.lora_{i:02}.weight" for i in range(17)] + ["model.rotary_emb.inv_freq"]
    folder = change(copy_of(tmp_path), lambda t: t.update({name: noise(2, 2) for name in names}))
    told = json.loads(weir_limited("info", folder, "--json").stdout)
    assert told["unused_tensors"] == names
    assert len(told["notes"]) == 1 and told["notes"][0].startswith("17 tensors")
    text = weir_limited("info", "-m", folder).stdout
    assert all(f"unused       {name}\n" in text for name in names) and f"note         {told['notes'][0]}\n" in text


def test_info_lists_the_keys_that_the_family_does_not_read(tmp_path):
    folder = change(copy_of(tmp_path), residual_multiplier=0.5, clip_qkv=1, temperature=0.7, note_of_mine={"a": 1}, n_embed=None)
    assert json.loads(weir_limited("info", folder, "--json").stdout)["unread_keys"] == ["residual_multiplier", "clip_qkv", "note_of_mine"]
    assert "unread key   clip_qkv\n" in weir_limited("info", folder).stdout
    assert json.loads(weir_limited("info", FIXTURES / "granite", "--json").stdout)["unread_keys"] == []  # where residual_multiplier counts


KINDS = {
    "llama3_rope": dict(norms="RMS norm before the branches", activation="SiLU, gated", unembedding="its own",
                        weights="BF16", positions="rotary, theta 500000, llama3 scaling by 8"),
    "gemma2": dict(norms="RMS norm before the branches and after them", activation="GELU (tanh form), gated", weights="F16",
                   unembedding="the embedding", positions="rotary, theta 10000; the last 9 keys in 2 of 4 layers"),
    "gptj": dict(activation="GELU (tanh form); attention and MLP side by side", norms="layer norm before the branches"),
    "olmo2": dict(norms="RMS norm after the branches, queries and keys normed"),
    "bloom": dict(positions="ALiBi", experts=""),
    "qwen3_moe_mixed": dict(experts="2 of 6 per token in 2 of 3 layers"),
    "gpt_oss_mxfp4": dict(weights="F16, FP4, E8M0"),
}


@pytest.mark.parametrize("family", KINDS)
def test_info_says_what_a_model_is_made_of(family):
    told = json.loads(weir_limited("info", FIXTURES / family, "--json").stdout)
    for name, text in KINDS[family].items():
        assert told[name] == text, (name, told[name])


# ---- names of TransformerLens's bridges ------------------------------------------------------------------------------

ALIASES = json.loads((Path(__file__).parent / "data/bridge_aliases.json").read_text())


@pytest.mark.parametrize("family", ALIASES)
def test_a_bridge_name_is_the_tensor_that_transformer_lens_gives_or_refused(tmp_path, family):
    """the facts were measured (tests/model/make_bridge_aliases.py): which of weir's points have TransformerLens's values"""
    aliases = list(ALIASES[family].items())
    for hook, points in aliases[:2] if SANITIZED else aliases:      # names are rows of a table: two run what all run
        inside = not hook.startswith(("embed.", "pos_embed.", "unembed.", "hook_unembed", "hook_logits"))
        name = f"blocks.{{layer}}.{hook}" if inside else hook
        done = dump(FIXTURES / family, tmp_path / "out.h5", "--tokens", "5,7,9", "--hooks", name, "--force")
        if points:
            assert done.returncode == 0, (hook, points, done.stderr)
            # in dense layers of a sparse model the bridge has no mlp.gate.hook_out; weir gives their gate
            dense = {"mlp_pre"} if points == ["router"] else set()
            assert set(values(tmp_path / "out.h5")) <= set(points) | dense, hook
        else:
            refused(done, UNSUPPORTED, name)


def test_in_a_stored_file_a_name_that_depends_on_the_model_is_refused(tmp_path):
    run(FIXTURES / "llama", tmp_path / "out.h5")
    refused(weir_limited("show", tmp_path / "out.h5", "blocks.0.mlp.in.hook_out"), USAGE, "mlp_pre or mlp_pre_linear")
    assert weir_limited("show", tmp_path / "out.h5", "blocks.0.attn.o.hook_in").returncode == 0


# ---- where models are ------------------------------------------------------------------------------------------------

FIRST, SECOND, THIRD = "a1" * 20, "a2" * 20, "b3" * 20


@pytest.fixture
def cache(tmp_path):
    """a hub cache as huggingface_hub lays it out: a repository with three commits, two refs and a tag"""
    repository = tmp_path / "hub/models--org--tiny"
    for commit, family in ((FIRST, "llama"), (SECOND, "gpt2"), (THIRD, "opt")):
        shutil.copytree(FIXTURES / family, repository / "snapshots" / commit, ignore=shutil.ignore_patterns("ref_*"))
    (repository / "refs/pr").mkdir(parents=True)
    (repository / "refs/main").write_text(FIRST)
    (repository / "refs/v1.0").write_text(SECOND)
    (repository / "refs/pr/7").write_text(THIRD)
    return tmp_path / "hub"


def family_of(where, **env):
    done = weir_limited("info", where, "--json", env=env)
    return json.loads(done.stdout)["family"] if done.returncode == 0 else done


@pytest.mark.parametrize("where, family", [("org/tiny", "llama"), ("org/tiny@main", "llama"), ("org/tiny@v1.0", "gpt2"),
                                           ("org/tiny@refs/pr/7", None), ("org/tiny@pr/7", "opt"), ("org/tiny@" + THIRD, "opt"),
                                           ("org/tiny@b3", "opt"), ("org/tiny@a2a2", "gpt2"), ("tiny", "llama"), ("tiny@b", "opt")])
def test_a_model_of_the_cache_is_found_by_name_and_revision(cache, where, family):
    got = family_of(where, HF_HUB_CACHE=str(cache))
    assert got == family if family else got.returncode == INPUT


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "HF_HOME"])
def test_the_cache_is_where_any_of_the_variables_say(cache, variable):
    assert family_of("org/tiny", **{variable: str(cache.parent if variable == "HF_HOME" else cache)}) == "llama"


def test_a_repository_with_one_snapshot_needs_no_main(cache):
    (cache / "models--org--tiny/refs/main").unlink()
    env = dict(HF_HUB_CACHE=str(cache))
    refused(family_of("org/tiny", **env), INPUT, "v1.0", FIRST, "NAME@REVISION")
    shutil.rmtree(cache / "models--org--tiny/snapshots" / FIRST)
    shutil.rmtree(cache / "models--org--tiny/snapshots" / SECOND)
    assert family_of("org/tiny", **env) == "opt"


def test_names_and_revisions_that_are_not_one_are_refused_with_what_there_is(cache):
    env = dict(HF_HUB_CACHE=str(cache))
    refused(family_of("org/tiny@a", **env), INPUT, FIRST, SECOND)
    refused(family_of("org/tiny@v2", **env), INPUT, "v2", "v1.0")
    refused(family_of("org/tiny@../../x", **env), INPUT, "no such file")
    shutil.copytree(cache / "models--org--tiny", cache / "models--other--tiny")
    refused(family_of("tiny", **env), USAGE, "models--org--tiny", "models--other--tiny")
    assert family_of("other/tiny", **env) == "llama"
    refused(family_of("none", **env), INPUT, "weir pull none")


def pointer(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1048576\n")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_git_lfs_pointer_is_called_one(tmp_path, name):
    folder = copy_of(tmp_path)
    pointer(folder / name)
    refused(dump(folder, tmp_path / "out.h5"), INPUT, name, "Git LFS pointer", "git lfs pull")


def test_a_gguf_that_is_a_git_lfs_pointer_is_called_one(tmp_path):
    pointer(tmp_path / "m.gguf")
    refused(dump(tmp_path / "m.gguf", tmp_path / "out.h5"), INPUT, "Git LFS pointer")


def test_an_adapters_folder_is_called_one_with_its_base(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    save({"base_model.model.lora_A.weight": noise(2, 2)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base-7b", "peft_type": "LORA"}))
    refused(dump(folder, tmp_path / "out.h5"), UNSUPPORTED, "adapter", "org/base-7b", "merge")


def test_an_adapter_beside_a_model_is_told(tmp_path):
    folder = copy_of(tmp_path)
    save({"base_model.model.lora_A.weight": noise(2, 2)}, folder / "adapter_model.safetensors")
    [note] = same(tmp_path, folder, FIXTURES / "llama")
    assert "adapter" in note and "not applied" in note


def test_a_folder_that_is_no_model_is_told_with_what_it_holds(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    refused(dump(folder, tmp_path / "out.h5"), INPUT, "neither config.json", "nothing")
    (folder / "README.md").write_text("hello")
    refused(dump(folder, tmp_path / "out.h5"), INPUT, "neither config.json", "README.md")
    (folder / "m.Q4_K.gguf").write_bytes(b"GGUF")
    refused(dump(folder, tmp_path / "out.h5"), USAGE, "give one of them", "m.Q4_K.gguf")


# ---- GGUF ------------------------------------------------------------------------------------------------------------

def gguf_with(tmp_path, **keys):
    """the tiny Llama as a GGUF file, written by llama.cpp's own library, with more keys and a tensor that nothing needs"""
    sys.path.insert(0, str(FIXTURES.parent))
    import gguf_make

    def add(writer, config):
        for name, value in keys.items():
            add = {list: writer.add_array, str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}[type(value)]
            add(name.replace("__", "."), value)
    unknown = {"blk.0.attn_unknown.weight": np.ones((2, 32), np.float32)}
    return gguf_make.convert(FIXTURES / "llama", tmp_path / "m.gguf", add, unknown)


def tokens_with(at, token, n=152000):
    return ["a", "b", "ab", *(f"t{i}" for i in range(3, at)), token, *(f"t{i}" for i in range(at + 1, n))]


@pytest.mark.parametrize("at, token, says", [(50256, "<|endoftext|>", "as gpt-2"), (128000, "<|begin_of_text|>", "as llama-bpe"),
                                             (151644, "<|im_start|>", "as qwen2"), (151644, "<|other|>", "MAY BE WRONG")])
def test_a_gguf_that_does_not_say_how_text_is_cut_is_told(tmp_path, at, token, says):
    file = gguf_with(tmp_path, tokenizer__ggml__model="gpt2", tokenizer__ggml__tokens=tokens_with(at, token),
                     tokenizer__ggml__merges=["a b"])
    told = json.loads(weir_limited("info", file, "--json").stdout)["notes"]
    assert len(told) == 2 and says in told[-1 if "tokenizer.ggml.pre" in told[-1] else 0], told
    done = weir_limited("tokens", "-m", file, "-p", "ab", "--json")
    assert json.loads(done.stdout)["prompts"][0]["ids"][-1] == 2 and says in done.stderr


def test_a_gguf_that_says_it_needs_no_note_and_unknown_tensors_are_told(tmp_path):
    file = gguf_with(tmp_path, tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="gpt-2", tokenizer__ggml__tokens=["a", "b", "ab"],
                     tokenizer__ggml__merges=["a b"])
    told = json.loads(weir_limited("info", file, "--json").stdout)
    assert told["unused_tensors"] == ["blk.0.attn_unknown.weight"] and len(told["notes"]) == 1
    assert "blk.0.attn_unknown.weight" in told["notes"][0]
    file = gguf_with(tmp_path, llama__attention__max_alibi_bias=8.0, llama__block_of_mine=3)
    assert json.loads(weir_limited("info", file, "--json").stdout)["unread_keys"] == ["llama.attention.max_alibi_bias", "llama.block_of_mine"]


def test_a_gguf_has_only_the_biases_that_its_architecture_may_have(tmp_path):
    sys.path.insert(0, str(FIXTURES.parent))
    import gguf_make
    stray = {"output.bias": np.full(211, 0.5, np.float32), "blk.0.attn_norm.bias": np.full(48, 0.5, np.float32)}
    file = gguf_make.convert(FIXTURES / "llama", tmp_path / "stray.gguf", None, stray)
    plain = gguf_make.convert(FIXTURES / "llama", tmp_path / "plain.gguf")
    said = same(tmp_path, file, plain)
    assert len(said) == 1 and all(name in said[0] for name in stray)


# ---- tokenizers alone ------------------------------------------------------------------------------------------------

RILL = Path(__file__).resolve().parents[2] / "models" / "rill"


@pytest.mark.parametrize("where", ["folder", "file", "config"])
def test_a_tokenizer_needs_no_model_around_it(tmp_path, where):
    shutil.copy(RILL / "tokenizer.json", tmp_path)
    if where == "config":  # and no weights, of a family that weir does not have
        (tmp_path / "config.json").write_text('{"model_type": "rwkv"}')
    done = weir_limited("tokens", "-m", tmp_path / "tokenizer.json" if where == "file" else tmp_path, "-p", "Emma walked", "--json")
    assert done.stdout == weir_limited("tokens", "-m", RILL, "-p", "Emma walked", "--json").stdout != ""
    assert weir_limited("dump", "-m", tmp_path, "-p", "x", "-o", tmp_path / "x.h5").returncode in (INPUT, UNSUPPORTED)


def test_a_folder_without_a_tokenizer_or_an_id_past_it_is_refused(tmp_path):
    refused(weir_limited("tokens", "-m", tmp_path, "-p", "x"), INPUT, "has no tokenizer")
    refused(weir_limited("tokens", "-m", RILL, "--ids", "1,4000"), USAGE, "4000", "0 to 3999")
