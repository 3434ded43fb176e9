"""weir pull: what is fetched, and that weir, huggingface_hub and transformers find what the others fetched."""
import json
import os

import pytest

from program import ROOT
from sides import BIG, CLUTTER, MODEL, Side

INPUT, USAGE, UNSUPPORTED = 3, 2, 4


def test_a_pulled_model_is_the_model_for_weir_and_for_huggingface_hub(side, tiny):
    folder = side.pull("org/tiny")
    assert folder == side.folder() / "snapshots" / tiny
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == MODEL
    assert side.found("org/tiny", MODEL) == MODEL
    assert side.snapshot("org/tiny", offline=True) == folder
    assert side.warnings() == []
    here = side.weir("tokens", "-m", "org/tiny", "-p", "a cat")
    assert here.returncode == 0 and here.stdout == side.weir("tokens", "-m", ROOT / "models/rill", "-p", "a cat").stdout


def test_both_leave_the_same_names_in_the_cache(hub, tiny, tmp_path):
    ours, theirs = Side(hub, tmp_path / "ours"), Side(hub, tmp_path / "theirs")
    ours.pull("org/tiny")
    for name in MODEL:
        theirs.python(f"import huggingface_hub; print(len(huggingface_hub.hf_hub_download('org/tiny', {name!r})))")
    assert ours.names() == theirs.names()
    assert sorted(p.name for p in (ours.cache / ".locks/models--org--tiny").iterdir()) == \
        sorted(p.name for p in (theirs.cache / ".locks/models--org--tiny").iterdir())
    assert (ours.cache / "CACHEDIR.TAG").read_bytes()[:43] == (theirs.cache / "CACHEDIR.TAG").read_bytes()[:43]


def test_huggingface_hub_finds_nothing_wrong_with_the_checksums(side, tiny):
    side.pull("org/tiny", *MODEL, *CLUTTER)
    checked = side.python("""
import json, huggingface_hub
v = huggingface_hub.HfApi().verify_repo_checksums("org/tiny")
print(json.dumps([v.checked_count, len(v.mismatches), len(v.missing_paths), len(v.extra_paths)]))""")
    assert checked == [len(MODEL | CLUTTER), 0, 0, 0]


def test_what_huggingface_hub_has_fetched_is_not_fetched_again(hub, side, tiny):
    folder = side.snapshot("org/tiny")
    hub.log.clear()
    assert side.pull("org/tiny") == folder
    assert [(method, path.split("?")[0]) for _, method, path, _ in hub.log] == [("GET", "/api/models/org/tiny/revision/main")]
    assert side.weir("tokens", "-m", "org/tiny", "-p", "a cat").returncode == 0


def test_a_second_pull_asks_for_the_list_only(hub, side, tiny):
    side.pull("org/tiny")
    hub.log.clear()
    side.pull("org/tiny")
    assert len(hub.log) == 1


def test_nothing_is_fetched_but_what_a_model_needs(hub, side, tiny):
    side.pull("org/tiny")
    assert set(side.names()) == {"refs/main", *(f"snapshots/{tiny}/{name}" for name in MODEL),
                                 *("blobs/" + hub.repos["org/tiny"].files("main")[name].etag for name in MODEL)}
    assert len(hub.bodies()) == len(MODEL)


def test_transformers_finds_what_was_pulled(side, tiny):
    folder = side.pull("org/tiny")
    got = side.python("""
import json, transformers
from transformers.utils import cached_file
config = transformers.AutoConfig.from_pretrained("org/tiny")
tokenizer = transformers.AutoTokenizer.from_pretrained("org/tiny")
print(json.dumps([config.n_layer, cached_file("org/tiny", "model.safetensors"), tokenizer("a cat")["input_ids"]]))""",
                      env={"HF_HUB_OFFLINE": "1"})
    tokens = json.loads(side.weir("tokens", "-m", "org/tiny", "-p", "a cat", "--json").stdout)["prompts"][0]["ids"]
    assert got == [json.loads(MODEL["config.json"])["n_layer"], str(folder / "model.safetensors"), tokens]


def test_shards_are_those_that_the_index_names(hub, side):
    shards = {f"model-0000{i}-of-00002.safetensors": os.urandom(1000) for i in (1, 2)}
    index = {"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
                                            "c": "model-00001-of-00002.safetensors"}}
    files = {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(), **shards}
    hub.add("org/tiny", files | CLUTTER)
    folder = side.pull("org/tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_a_single_file_of_weights_may_have_any_name(hub, side):
    hub.add("org/tiny", {"config.json": b"{}", "weights.safetensors": b"1", "adapter_model.safetensors": b"2"})
    assert sorted(p.name for p in side.pull("org/tiny").iterdir()) == ["config.json", "weights.safetensors"]


def test_one_named_gguf_is_all_that_comes(hub, side):
    files = {"a-Q4.gguf": b"4", "a-Q8.gguf": b"88", "config.json": b"{}"}
    commit = hub.add("org/tiny", files)
    path = side.pull("org/tiny", "a-Q8.gguf")
    assert path == side.folder() / "snapshots" / commit / "a-Q8.gguf" and path.read_bytes() == b"88"
    assert [p.name for p in path.parent.iterdir()] == ["a-Q8.gguf"]


def test_a_part_of_a_split_gguf_stands_for_all(hub, side):
    parts = {f"q8/a-0000{i}-of-00003.gguf": bytes([i]) for i in (1, 2, 3)}
    hub.add("org/tiny", parts | {"q8/b-00001-of-00003.gguf": b"no", "q8/a-00001-of-00002.gguf": b"no"})
    path = side.pull("org/tiny", "q8/a-00002-of-00003.gguf")
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == {name.split("/")[1]: data for name, data in parts.items()}


def test_files_in_folders_are_links_that_huggingface_hub_follows(side, tiny):
    path = side.pull("org/tiny", "onnx/model.safetensors")
    assert os.readlink(path).startswith("../../../blobs/") and path.read_bytes() == b"other"
    assert side.found("org/tiny", ["onnx/model.safetensors"]) == {"onnx/model.safetensors": b"other"}
    assert side.warnings() == []


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/1", "step3000+x"])
def test_a_revision_is_fetched_beside_the_others(hub, side, tiny, revision):
    other = hub.add("org/tiny", MODEL | {"config.json": MODEL["config.json"] + b"\n"}, revision=revision)
    side.pull("org/tiny")
    folder = side.pull(f"org/tiny@{revision}")
    assert folder.name == other and side.snapshot("org/tiny", offline=True, revision=revision) == folder
    assert side.weir("tokens", "-m", f"org/tiny@{revision}", "-p", "a cat").returncode == 0
    assert len(list(side.folder().glob("blobs/*"))) == len(MODEL) + 1       # what is the same is there once
    assert side.warnings() == []


def test_a_commit_needs_no_ref(side, tiny):
    assert side.pull(f"org/tiny@{tiny}").name == tiny
    assert not (side.folder() / "refs").exists()


def test_a_branch_that_moved_on_is_followed(hub, side, tiny):
    side.pull("org/tiny")
    new = hub.add("org/tiny", MODEL | {"config.json": MODEL["config.json"] + b"\n"})
    assert side.pull("org/tiny").name == new != tiny
    assert (side.folder() / "refs/main").read_text() == new


def test_the_old_commit_stays_main_until_the_new_one_is_whole(hub, side, tiny):
    side.pull("org/tiny")
    hub.add("org/tiny", MODEL | {"model.safetensors": BIG})
    hub.faults.etag["model.safetensors"] = "0" * 64
    assert side.weir("pull", "org/tiny").returncode == INPUT
    assert (side.folder() / "refs/main").read_text() == tiny
    assert side.weir("tokens", "-m", "org/tiny", "-p", "a cat").returncode == 0


def test_empty_files_are_files(hub, side):
    hub.add("org/tiny", MODEL | {"merges.txt": b""})
    assert (side.pull("org/tiny") / "merges.txt").read_bytes() == b""


def test_the_cache_is_where_the_variables_say(hub, side, tiny, tmp_path):
    for variable, where in ("HF_HUB_CACHE", tmp_path / "a"), ("HUGGINGFACE_HUB_CACHE", tmp_path / "b"):
        folder = side.pull("org/tiny", env={variable: str(where)})
        assert folder.is_relative_to(where)


def test_the_default_endpoint_stands_in_one_place():
    files = [p for room in ("lib", "hooks", "cli", "tests/hub") for p in (ROOT / room).rglob("*.[chp]*") if p.suffix in (".c", ".h", ".py")]
    host = "https://huggingface" + ".co\""
    assert [str(p.relative_to(ROOT)) for p in files if host in p.read_text()] == ["cli/hub/settings.c"]
