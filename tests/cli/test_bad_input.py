"""What weir says to files and options that cannot be right: one line that names the thing, the documented exit code, and
nothing left behind. Each case is a small change to a fixture of tests/model, whose unchanged copy is shown to run first.
"""
import gzip
import json
import os
import shutil
import signal
import struct
import subprocess

import h5py
import numpy as np
import pytest

from copies import dump, read_safetensors, refused, weir_limited, write_safetensors
from program import FIXTURES, INPUT, OUTPUT, ROOT, SANITIZED, UNSUPPORTED, USAGE, WEIR


# ---- models ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def model(tmp_path):
    """a copy of the tiny Llama to spoil"""
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "llama", folder, ignore=shutil.ignore_patterns("ref_*"))
    return folder


def test_the_unchanged_copy_runs(model, tmp_path):
    done = dump(model, tmp_path / "out.h5")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.h5").exists()


Q = "model.layers.1.self_attn.q_proj.weight"


def change_header(change):
    def spoil(folder):
        path = folder / "model.safetensors"
        header, data = read_safetensors(path)
        write_safetensors(path, change(header) or header, data)
    return spoil


def truncate(n):
    def spoil(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:n])
    return spoil


def header_length(n):
    def spoil(folder):
        path = folder / "model.safetensors"
        header, data = read_safetensors(path)
        write_safetensors(path, header, data, length=n)
    return spoil


def reshape(name, shape):
    def change(header):
        header[name]["shape"] = shape
    return change_header(change)


def config(**changes):
    def spoil(folder):
        path = folder / "config.json"
        values = json.loads(path.read_text())
        for key, value in changes.items():
            if value is ...:
                values.pop(key, None)
            else:
                values[key] = value
        path.write_text(json.dumps(values))
    return spoil


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def only_pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")


MODELS = {
    "cut in the header": (truncate(100), INPUT, ["model.safetensors", "byte"]),
    "cut in the data": (truncate(30000), INPUT, ["model.safetensors"]),
    "empty weights": (truncate(0), INPUT, ["model.safetensors"]),
    "header longer than the file": (header_length(1 << 40), INPUT, ["model.safetensors", "byte"]),
    "header of 2^64 - 1 bytes": (header_length(2**64 - 1), INPUT, ["model.safetensors"]),
    "offsets past the end": (change_header(lambda h: h[Q].update(data_offsets=[0, 1 << 50])), INPUT, [Q]),
    "offsets backwards": (change_header(lambda h: h[Q].update(data_offsets=h[Q]["data_offsets"][::-1])), INPUT, [Q]),
    "shape that its bytes do not fill": (reshape(Q, [48, 49]), INPUT, [Q]),
    "shape whose product overflows": (reshape(Q, [1 << 40, 1 << 40]), INPUT, [Q]),
    "a type that there is not": (change_header(lambda h: h[Q].update(dtype="F33")), UNSUPPORTED, [Q, "F33"]),
    "missing tensor": (change_header(lambda h: h.update({"other": h.pop(Q)})), INPUT, [Q, "missing"]),
    "transposed tensor": (reshape("model.layers.1.mlp.up_proj.weight", [48, 88]), INPUT, ["up_proj", "[48, 88]", "[88, 48]"]),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), INPUT, ["model.safetensors"]),
    "pickled weights only": (only_pickled, UNSUPPORTED, ["pickled", "save_pretrained"]),
    "no config": (lambda f: (f / "config.json").unlink(), INPUT, ["config.json"]),
    "config that is no JSON": (text("config.json", "{"), INPUT, ["config.json", "byte"]),
    "config that is a list": (text("config.json", "[1]"), INPUT, ["config.json"]),
    "unknown family": (config(model_type="frobnicator"), UNSUPPORTED, ["frobnicator", "docs/families.md"]),
    "family of nearly a known name": (config(model_type="mistrall"), UNSUPPORTED, ["mistrall", "nearest by name", '"mistral"']),
    "family of a first revision": (config(model_type="phi-msft"), UNSUPPORTED, ["phi-msft", "newer revision", '"phi"']),
    "no family": (config(model_type=...), INPUT, ["model_type"]),
    "family that is a number": (config(model_type=3), INPUT, ["model_type"]),
    "more layers than weights": (config(num_hidden_layers=4), INPUT, ["model.layers.3"]),
    "fewer layers than weights": (config(num_hidden_layers=2), INPUT, ["model.layers.2", "2 layers"]),
    "no layers": (config(num_hidden_layers=0), INPUT, ["num_hidden_layers"]),
    "layers not counted": (config(num_hidden_layers=...), INPUT, ["layers"]),
    "negative layers": (config(num_hidden_layers=-3), INPUT, ["num_hidden_layers"]),
    "absurdly many layers": (config(num_hidden_layers=10**12), INPUT, ["num_hidden_layers"]),
    "half a layer": (config(num_hidden_layers=2.5), INPUT, ["num_hidden_layers"]),
    "layers as text": (config(num_hidden_layers="3"), INPUT, ["num_hidden_layers"]),
    "other number of heads": (config(num_attention_heads=4, head_dim=...), INPUT, ["k_proj"]),
    "heads that do not share evenly": (config(num_key_value_heads=4), INPUT, ["6 heads", "4"]),
    "other vocabulary": (config(vocab_size=212), INPUT, ["embed_tokens", "212"]),
    "other width": (config(hidden_size=96), INPUT, ["embed_tokens", "96"]),
    "other MLP": (config(intermediate_size=89), INPUT, ["gate_proj", "89"]),
    "unknown activation": (config(hidden_act="swosh"), UNSUPPORTED, ["hidden_act", "swosh"]),
    "unknown rope type": (config(rope_parameters={"rope_type": "spiral", "rope_theta": 1e4}), UNSUPPORTED, ["spiral"]),
    "rope that is a number": (config(rope_parameters=3), INPUT, ["rope_parameters"]),
    "biases that are not there": (config(attention_bias=True), INPUT, ["q_proj.bias", "missing"]),
    "quantized by some method": (config(quantization_config={"quant_method": "gptq"}), UNSUPPORTED,
                                 ["quantization_config", "gptq"]),
    "quantized by an algorithm": (config(quantization_config={"quant_algo": "NVFP4"}), UNSUPPORTED,
                                  ["quantization_config", "NVFP4", "dequantize"]),
    "quantized, as it was once written": (config(quantization_config={"load_in_4bit": True}), UNSUPPORTED,
                                          ["quantization_config", "bitsandbytes, 4 bits"]),
    "quantized, the other way": (config(quantization_config={"load_in_8bit": True, "load_in_4bit": False}), UNSUPPORTED,
                                 ["bitsandbytes, 8 bits"]),
    "quantized, who knows how": (config(quantization_config={"bits": 4}), UNSUPPORTED, ["a method that it does not name"]),
    "quantized by a list": (config(quantization_config=[4]), INPUT, ["quantization_config", "object"]),
    "infinite epsilon": (config(rms_norm_eps=float("inf")), INPUT, ["rms_norm_eps", "number"]),
    "epsilon that is no number": (config(rms_norm_eps=float("nan")), INPUT, ["rms_norm_eps", "number"]),
    "infinitely many layers": (config(num_hidden_layers=float("inf")), INPUT, ["num_hidden_layers"]),
    "negative infinite base": (config(rope_parameters={"rope_theta": -float("inf")}), INPUT, ["rope_theta", "number"]),
    "a layer's own configuration": (config(per_layer_config={"1": {"num_attention_heads": 3}}), UNSUPPORTED, ["per_layer_config"]),
    "attention to what comes": (config(is_causal=False), UNSUPPORTED, ["is_causal", "false"]),
    "width past all memory": (config(hidden_size=2**40), INPUT, ["hidden_size"]),
    "heads past all memory": (config(num_attention_heads=2**31), INPUT, ["num_attention_heads"]),
    "largest layers that are allowed": (config(num_hidden_layers=1023), INPUT, ["model.layers.3"]),
    "largest sizes that are allowed": (config(hidden_size=2**20, intermediate_size=2**22, num_attention_heads=65536,
                                              num_key_value_heads=65536, head_dim=65536, vocab_size=2**26), INPUT,
                                       ["embed_tokens"]),
    "context past counting": (config(max_position_embeddings=10**18), INPUT, ["max_position_embeddings"]),
    "width not said": (config(hidden_size=...), INPUT, ["embed_tokens", "the config requires [211, 4096]"]),
    "heads not said": (config(num_attention_heads=...), INPUT, ["heads"]),
    "vocabulary not said": (config(vocab_size=...), INPUT, ["embed_tokens", "the config requires [32000, 48]"]),
    "negative heads": (config(num_attention_heads=-6), INPUT, ["num_attention_heads"]),
    "negative window": (config(model_type="mistral", sliding_window=-2), INPUT, ["sliding_window"]),
    "width as a list": (config(hidden_size=[48]), INPUT, ["hidden_size"]),
    "width as text": (config(hidden_size="48"), INPUT, ["hidden_size"]),
    "epsilon as text": (config(rms_norm_eps="tiny"), INPUT, ["rms_norm_eps"]),
    "activation as a number": (config(hidden_act=7), INPUT, ["hidden_act"]),
    "tied as text": (config(tie_word_embeddings="yes"), INPUT, ["tie_word_embeddings"]),
    "layer types as a number": (config(model_type="qwen2", layer_types=3), INPUT, ["layer_types"]),
    "layer types of too few layers": (config(model_type="qwen2", layer_types=["full_attention"]), INPUT, ["layer_types", "3"]),
    "layer type that there is not": (config(model_type="qwen2", layer_types=["full_attention"] * 2 + ["linear_attention"]), UNSUPPORTED,
                                     ["linear_attention"]),
    "more rotated than a head has": (config(model_type="phi", head_dim=8, rope_parameters={"rope_type": "default", "rope_theta": 1e4,
                                                                         "partial_rotary_factor": 4.0}), INPUT, ["32 of 8"]),
    "no base of rotation": (config(rope_parameters={"rope_type": "default", "rope_theta": 0}), INPUT, ["rope_theta"]),
    "yarn without its context": (config(rope_parameters={"rope_type": "yarn", "rope_theta": 1e4}), INPUT,
                                 ["yarn", "original_max_position_embeddings"]),
    "norms without sense": (config(rms_norm_eps=-1), INPUT, ["epsilon"]),
    "deep nesting": (text("config.json", '{"a":' * 100 + "1" + "}" * 100), INPUT, ["config.json", "deep"]),
}


@pytest.mark.parametrize("case", MODELS)
def test_models(model, tmp_path, case):
    spoil, code, words = MODELS[case]
    spoil(model)
    refused(dump(model, tmp_path / "out.h5"), code, *words, folder=tmp_path)


def test_weights_that_are_no_numbers_are_named(model):
    """values 7 and 100 of a matrix of 48 columns, as float32"""
    assert weir_limited("info", "--check", model).returncode == 0
    file = model / "model.safetensors"
    header, data = read_safetensors(file)
    tensor = header["model.layers.1.mlp.up_proj.weight"]
    data, columns = bytearray(data), tensor["shape"][1]
    for index, value in (7, float("nan")), (100, float("-inf")):
        at = tensor["data_offsets"][0] + 4 * index
        data[at:at + 4] = struct.pack("<f", value)
    write_safetensors(file, header, bytes(data))
    done = weir_limited("info", "--check", model)
    assert done.returncode == 1 and done.stdout.count("\n") == 1
    assert f"'model.layers.1.mlp.up_proj.weight': 1 NaN, 1 infinite of {columns * tensor['shape'][0]} values, " \
           f"the first at [{7 // columns}, {7 % columns}]" in done.stdout
    found = json.loads(weir_limited("info", "--check", "--json", model).stdout)
    assert found["finite"] is False and len(found["findings"]) == 1
    assert dump(model, model / "out.h5").returncode == 0    # it runs all the same


LENS = {
    "unknown field": (dict(frobnicate=2), UNSUPPORTED, ["frobnicate", "HookedTransformer"]),
    "gated": (dict(gated_mlp=True), UNSUPPORTED, ["gated_mlp"]),
    "bidirectional": (dict(attention_dir="bidirectional"), UNSUPPORTED, ["attention_dir", "bidirectional"]),
    "norms of another kind": (dict(normalization_type="Batch"), UNSUPPORTED, ["normalization_type", "Batch"]),
    "positions of another kind": (dict(positional_embedding_type="alibi"), UNSUPPORTED, ["alibi"]),
    "experts": (dict(num_experts=4), UNSUPPORTED, ["num_experts"]),
    "an option that is neither on nor off": (dict(use_qk_norm="yes"), INPUT, ["use_qk_norm"]),
    "no activation": (dict(act_fn=None), INPUT, ["act_fn"]),
    "activation of another kind": (dict(act_fn="xielu"), UNSUPPORTED, ["act_fn", "xielu"]),
    "scale below 0": (dict(attn_scale=-2.0), INPUT, ["attn_scale"]),
    "direction as a number": (dict(attention_dir=1), INPUT, ["attention_dir"]),
    "local layers without a window": (dict(use_local_attn=True), INPUT, ["window_size"]),
    "other number of outputs": (dict(d_vocab_out=5), INPUT, ["unembed.W_U", "[48, 5]"]),
    "other heads": (dict(n_heads=6), INPUT, ["blocks.0.attn.W_Q", "[4, 48, 12]", "[6, 48, 12]"]),
    "more layers than weights": (dict(n_layers=3), INPUT, ["blocks.2.ln1.w"]),
    "layers past counting": (dict(n_layers=10**9), INPUT, ["n_layers"]),
    "width past all memory": (dict(d_model=2**40), INPUT, ["d_model"]),
}


@pytest.mark.parametrize("case", LENS)
def test_models_of_transformer_lens(tmp_path, case):
    changes, code, words = LENS[case]
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "lens_solu", folder, ignore=shutil.ignore_patterns("ref_*"))
    config(**changes)(folder)
    refused(dump(folder, tmp_path / "out.h5"), code, *words, folder=tmp_path)


GATE, SINKS = "model.layers.1.mlp.experts.gate_up_proj", "model.layers.1.self_attn.sinks"
PACKED = {
    "no room for what experts compute": (config(swiglu_limit=0.0), ["swiglu_limit", "above 0"]),
    "scales that are not there": (change_header(lambda h: h.update({"other": h.pop(GATE + "_scales")})), [GATE + "_scales", "missing"]),
    "values that are not there": (change_header(lambda h: h.update({"other": h.pop(GATE + "_blocks")})), [GATE, "missing"]),
    "blocks of another length": (reshape(GATE + "_blocks", [4, 192, 1, 32]), [GATE + "_blocks", "[4, 192, 2, 16]"]),
    "scales of another length": (reshape(GATE + "_scales", [4, 96, 4]), [GATE + "_scales", "[4, 192, 2]"]),
    "blocks of another type": (change_header(lambda h: h[GATE + "_blocks"].update(dtype="I8")),
                               [GATE, "is of type I8", "convert the model"], UNSUPPORTED),
    "sinks that are not there": (change_header(lambda h: h.update({"other": h.pop(SINKS)})), [SINKS, "missing"]),
    "one sink too few": (change_header(lambda h: h[SINKS].update(shape=[2, 2])), [SINKS, "[4]"]),
    "other number of experts": (config(num_local_experts=5), ["router.weight", "[5, 64]"]),
    "rows that are no whole blocks": (config(hidden_size=48), ["embed_tokens", "48"]),
}


@pytest.mark.parametrize("case", PACKED)
def test_packed_models(tmp_path, case):
    spoil, words, code = *PACKED[case][:2], (PACKED[case][2:] or (INPUT,))[0]
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "gpt_oss_mxfp4", folder, ignore=shutil.ignore_patterns("ref_*"))
    spoil(folder)
    refused(dump(folder, tmp_path / "out.h5"), code, *words, folder=tmp_path)


def test_weights_of_transformer_lens_may_have_any_name(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "lens_solu", folder, ignore=shutil.ignore_patterns("ref_*"))
    (folder / "model.safetensors").rename(folder / "solu-2l.safetensors")
    config(W_O_init_scale=True, seed=7, frobnicate=None)(folder)
    done = dump(folder, tmp_path / "out.h5")
    assert done.returncode == 0, done.stderr


def test_a_shard_that_is_not_there(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "llama3_rope", folder, ignore=shutil.ignore_patterns("ref_*"))
    (folder / "model-00002-of-00003.safetensors").unlink()
    refused(dump(folder, tmp_path / "out.h5"), INPUT, "model-00002-of-00003.safetensors", folder=tmp_path)


# ---- GGUF ------------------------------------------------------------------------------------------------------------

def pairs(w, n_heads):
    """q and k rows as llama.cpp's converter writes them: the halves of a head interleaved"""
    return w.reshape(n_heads, 2, w.shape[0] // n_heads // 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def make_gguf(path):
    """the tiny Llama as a GGUF file, by the real package"""
    import gguf
    header, data = read_safetensors(FIXTURES / "llama/model.safetensors")
    values = json.loads((FIXTURES / "llama/config.json").read_text())
    header.pop("__metadata__", None)
    tensors = {name: np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"])
               for name, t in header.items()}
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(values["num_hidden_layers"])
    w.add_context_length(values["max_position_embeddings"])
    w.add_embedding_length(values["hidden_size"])
    w.add_feed_forward_length(values["intermediate_size"])
    w.add_head_count(values["num_attention_heads"])
    w.add_head_count_kv(values["num_key_value_heads"])
    w.add_layer_norm_rms_eps(values["rms_norm_eps"])
    w.add_rope_freq_base(values["rope_parameters"]["rope_theta"])
    for name, x in tensors.items():
        if name == "model.embed_tokens.weight":
            w.add_tensor("token_embd.weight", x)
        elif name == "model.norm.weight":
            w.add_tensor("output_norm.weight", x)
        elif name == "lm_head.weight":
            w.add_tensor("output.weight", x)
        else:
            _, _, layer, rest = name.split(".", 3)
            part = rest.removesuffix(".weight")
            if part.endswith("q_proj"):
                x = pairs(x, values["num_attention_heads"])
            if part.endswith("k_proj"):
                x = pairs(x, values["num_key_value_heads"])
            w.add_tensor(f"blk.{layer}.{names[part]}.weight", np.ascontiguousarray(x))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


@pytest.fixture
def gguf_file(tmp_path):
    path = tmp_path / "tiny.gguf"
    make_gguf(path)
    return path


def test_a_gguf_file_gives_what_the_folder_gives(gguf_file, tmp_path):
    for model, out in ((FIXTURES / "llama", "folder.h5"), (gguf_file, "gguf.h5")):
        done = dump(model, tmp_path / out, "--tokens", "5,7,9,100,3", "--hooks", "*,result")
        assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "folder.h5") as a, h5py.File(tmp_path / "gguf.h5") as b:
        assert sorted(a["activations"]) == sorted(b["activations"])
        for name in a["activations"]:
            np.testing.assert_allclose(a["activations"][name][...], b["activations"][name][...], rtol=2e-4, atol=2e-5,
                                       err_msg=name)


def overwrite(at, data):
    def spoil(path):
        old = path.read_bytes()
        path.write_bytes(old[:at] + data + old[at + len(data):])
    return spoil


def cut(n):
    return lambda path: path.write_bytes(path.read_bytes()[:n])


GGUFS = {
    "empty": (cut(0), INPUT, ["tiny.gguf"]),
    "cut in the first line": (cut(12), INPUT, ["byte"]),
    "cut in the metadata": (cut(200), INPUT, ["30 tensors"]),
    "cut in the data": (cut(30000), INPUT, ["tiny.gguf"]),
    "not GGUF": (overwrite(0, b"JUNK"), INPUT, ["tiny.gguf"]),
    "version 99": (overwrite(4, struct.pack("<I", 99)), UNSUPPORTED, ["99"]),
    "big-endian": (overwrite(4, struct.pack(">I", 3)), UNSUPPORTED, ["endian"]),
    "2^63 tensors": (overwrite(8, struct.pack("<Q", 1 << 63)), INPUT, ["tiny.gguf"]),
    "2^63 values": (overwrite(16, struct.pack("<Q", 1 << 63)), INPUT, ["tiny.gguf"]),
    "a key of 2^60 bytes": (overwrite(24, struct.pack("<Q", 1 << 60)), INPUT, ["byte"]),
}


@pytest.mark.parametrize("case", GGUFS)
def test_gguf_files(gguf_file, tmp_path, case):
    spoil, code, words = GGUFS[case]
    spoil(gguf_file)
    refused(dump(gguf_file, tmp_path / "out.h5"), code, *words, folder=tmp_path)


# ---- options and outputs ---------------------------------------------------------------------------------------------

LLAMA = FIXTURES / "llama"
OPTIONS = {
    "hook that does not exist": (["--hooks", "patern"], USAGE, ["patern", "pattern"]),
    "hook that the model lacks": (["--hooks", "pos_embed"], UNSUPPORTED, ["pos_embed", "position"]),
    "layer out of range": (["--hooks", "z:7"], USAGE, ["z:7", "layer 7", "0 to 2"]),
    "head out of range": (["--hooks", "z:0.9"], USAGE, ["z:0.9", "9", "0 to 5"]),
    "position out of range": (["--hooks", "z@5"], USAGE, ["position 5", "0 to 2"]),
    "shared position out of range": (["--positions", "-4"], USAGE, ["position -4", "0 to 2"]),
    "no position left": (["--positions", "2:2"], USAGE, ["position"]),
    "more likely tokens than there are": (["--next", "212"], USAGE, ["212", "211"]),
    "too many threads": (["--threads", "100000"], USAGE, ["threads"]),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options(tmp_path, case):
    args, code, words = OPTIONS[case]
    refused(dump(LLAMA, tmp_path / "out.h5", "--tokens", "5,7,9", *args), code, *words, folder=tmp_path)


PROMPTS = {
    "past the context": (["--tokens", ",".join(["1"] * 129)], USAGE, ["129", "128"]),
    "id outside the vocabulary": (["--tokens", "5,211"], USAGE, ["211", "210"]),
    "negative id": (["--tokens", "5,-1"], USAGE, ["-1"]),
    "text for a model without tokenizer": (["-p", "hello"], INPUT, ["tokenizer", "ids"]),
    "no such file of prompts": (["-f", "/none/prompts.txt"], INPUT, ["/none/prompts.txt"]),
    "no prompts": (["-f", "/dev/null"], USAGE, ["prompt"]),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_prompts(tmp_path, case):
    args, code, words = PROMPTS[case]
    refused(dump(LLAMA, tmp_path / "out.h5", *args), code, *words, folder=tmp_path)


def test_an_output_that_exists_is_kept(tmp_path):
    out = tmp_path / "kept.h5"
    out.write_bytes(b"mine")
    refused(dump(LLAMA, out), OUTPUT, "kept.h5", "--force", folder=tmp_path)
    assert out.read_bytes() == b"mine"
    assert dump(LLAMA, out, "--tokens", "5", "--force").returncode == 0
    assert h5py.is_hdf5(out)


def test_a_failing_run_keeps_what_it_was_to_replace(model, tmp_path):
    out = tmp_path / "kept.h5"
    out.write_bytes(b"mine")
    config(num_hidden_layers=4)(model)
    refused(dump(model, out, "--tokens", "5", "--force"), INPUT, "model.layers.3")
    assert out.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir() if p.name != "model"] == ["kept.h5"]


def test_an_output_folder_that_is_not_there(tmp_path):
    refused(dump(LLAMA, tmp_path / "none/out.h5"), OUTPUT, "none", folder=tmp_path)


def test_an_output_that_is_a_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    refused(dump(LLAMA, tmp_path / "folder"), OUTPUT, "folder", folder=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    refused(dump(LLAMA, locked / "out.h5"), OUTPUT, "locked", folder=locked)


def test_proc_cannot_be_written(tmp_path):
    refused(dump(LLAMA, "/proc/out.h5"), OUTPUT, "/proc/out.h5")


# ---- cache files -----------------------------------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZED, reason="the sanitizer ends the child before it dies of the signal")
def test_a_file_that_kills_the_hdf5_library_is_told(tmp_path):
    """found by script/fuzz; HDF5 1.10.8 dies of it, a later one may refuse it"""
    bad = tmp_path / "bad.h5"
    bad.write_bytes(gzip.decompress((ROOT / "tests/cli/data/kills_hdf5.h5.gz").read_bytes()))
    refused(weir_limited("validate", bad), INPUT, "bad.h5", "HDF5")
    refused(weir_limited("validate", bad, "--json"), INPUT, "bad.h5", "HDF5")


def test_validate_prints_nothing_to_a_full_disk(tmp_path):
    assert dump(LLAMA, tmp_path / "kept.h5").returncode == 0
    with open("/dev/full", "wb") as full:
        done = subprocess.run([WEIR, "validate", tmp_path / "kept.h5"], stdout=full, stderr=subprocess.PIPE, text=True)
    refused(done, OUTPUT, "standard output")


def test_validate_knows_what_it_found_where_ended_children_are_not_kept():
    """some daemons and job runners start everything like that"""
    done = subprocess.run([WEIR, "validate", "/nowhere/none.h5"], capture_output=True, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    refused(done, INPUT, "none.h5")


# ---- tokenizers ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_a_special_token_that_is_none_is_told_with_its_file(tmp_path, file):
    model = tmp_path / "model"
    shutil.copytree(LLAMA, model, ignore=shutil.ignore_patterns("ref_*"))
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1]]}
    (model / "tokenizer.json").write_text(json.dumps({"model": unigram}))
    (model / file).write_text(json.dumps({"bos_token": "<s>"}))
    refused(weir_limited("tokens", "-m", model, "-p", "a"), INPUT, file, "bos_token", "<s>")


# ---- names in the Hugging Face cache ---------------------------------------------------------------------------------

@pytest.fixture
def home(tmp_path):
    """HF_HOME with the repository tiny/llama in it"""
    repository = tmp_path / "hf/hub/models--tiny--llama"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0123abcd")
    snapshot = repository / "snapshots/0123abcd"
    shutil.copytree(LLAMA, snapshot, ignore=shutil.ignore_patterns("ref_*"))
    return tmp_path / "hf"


def test_a_cached_name_is_found(home, tmp_path):
    done = dump("tiny/llama", tmp_path / "run.h5", env={"HF_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    done = dump("tiny/llama", tmp_path / "run2.h5", env={"HF_HOME": "", "HF_HUB_CACHE": str(home / "hub")})
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_cached(home, tmp_path):
    refused(dump("tiny/other", tmp_path / "out.h5", env={"HF_HOME": str(home)}), INPUT, "tiny/other", str(home))


def test_a_cache_that_names_no_snapshot(home, tmp_path):
    ref = home / "hub/models--tiny--llama/refs/main"
    for content, word in (("ffff", "snapshot"), ("../../..", "commit"), ("", "commit")):
        ref.write_text(content)
        refused(dump("tiny/llama", tmp_path / "out.h5", env={"HF_HOME": str(home)}), INPUT, word)


def test_a_damaged_list_of_layers_names_its_file_once(tmp_path):
    assert dump(FIXTURES / "llama", tmp_path / "x.h5").returncode == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["activations/z"].attrs["layers"] = np.array([0, 7], "i4")
    done = subprocess.run([WEIR, "ls", "x.h5"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == INPUT
    assert done.stderr == "weir: x.h5: /activations/z: the attribute layers names a layer that the model does not have\n"
