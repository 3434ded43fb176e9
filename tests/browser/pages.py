"""Files and pages for the tests of weir view, and the browser that opens them: Debian's chromium, headless, driven by its chromedriver."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy
from safetensors.numpy import save_file
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/cli/weir"))
MODELS = ROOT / "tests/model/fixtures"
# to be shown as what they are, whatever HTML, JSON or a script would make of them
HOSTILE = ["</script>", "<img src=x onerror=alert(1)>", "<!--", "&lt;", "\u2028", '"\\', "\n", "\t", " ", "", "\u00e9\u00df",
           "\U0001f600", "{{data}}", "</SCRIPT ><script>alert(1)</script>", "'", "\u202eabc"]


def weir(*args):
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True)


def ids(n, start=3):
    return ",".join(str(start + 7 * i % 200) for i in range(n))


def dump(out, model, *options, lengths=(12, 5, 20)):
    prompts = [word for i, n in enumerate(lengths) for word in ("--tokens", ids(n, 3 + i))]
    done = weir("dump", "-m", MODELS / model, *prompts, *options, "--force", "-o", out)
    assert done.returncode == 0, done.stderr
    return out


def name_tokens(path, name):
    """gives every token of the file a text, name(position)"""
    with h5py.File(path, "r+") as file:
        lengths, shape = file["prompts/length"][:], file["tokens/text"].shape
        texts = [[name(position) if position < n else "" for position in range(shape[1])] for n in lengths]
        del file["tokens/text"]
        file.create_dataset("tokens/text", data=numpy.char.encode(texts, "utf-8").astype(h5py.string_dtype("utf-8", 64)))


def wide_model(folder, layers=30, heads=9):
    """a GPT-2 of SmolLM2's number of layers and heads, with random weights of no other size"""
    folder.mkdir()
    d, rng = heads * 4, numpy.random.default_rng(0)
    config = json.loads((MODELS / "gpt2/config.json").read_text())
    config |= {"n_embd": d, "n_head": heads, "n_layer": layers, "n_positions": 512, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"wte.weight": (211, d), "wpe.weight": (512, d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    parts = {"attn.c_attn.weight": (d, 3 * d), "attn.c_attn.bias": (3 * d,), "attn.c_proj.weight": (d, d),
             "attn.c_proj.bias": (d,), "ln_1.weight": (d,), "ln_1.bias": (d,), "ln_2.weight": (d,), "ln_2.bias": (d,),
             "mlp.c_fc.weight": (d, 4 * d), "mlp.c_fc.bias": (4 * d,), "mlp.c_proj.weight": (4 * d, d), "mlp.c_proj.bias": (d,)}
    shapes |= {f"h.{layer}.{name}": shape for layer in range(layers) for name, shape in parts.items()}
    tensors = {f"transformer.{name}": rng.normal(0, 0.3, shape).astype("f4") for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


# Weights planted in long prompts, as (key of a whole bright column, (query, key) of a single bright cell), by length.
BRIGHT = {300: (77, (250, 33)), 1200: (777, (1100, 123)), 4000: (2501, (3900, 1234)), 12000: (7777, (11900, 4321))}
COLUMN, CELL = 0.85, 0.9375


def long_file(folder, n):
    """a dump of n tokens by a model of one layer, in which head 0 has the bright weights of BRIGHT, head 1 the model's own"""
    model = folder / "long"
    if not model.exists():
        shutil.copytree(MODELS / "llama_one_layer", model)
        config = json.loads((model / "config.json").read_text()) | {"max_position_embeddings": 32768}
        (model / "config.json").write_text(json.dumps(config))
    path = dump(folder / f"long{n}.h5", model, "--hooks", "pattern:0.0+1", "--next", "3", "--dtype", "f16", lengths=(n,))
    column, cell = BRIGHT[n]
    with h5py.File(path, "r+") as file:
        pattern = file["activations/pattern"]
        for query in range(column, n):
            pattern[0, 0, 0, query, column] = COLUMN
        pattern[(0, 0, 0, *cell)] = CELL
    return path


def chromium():
    """which keeps what the page says on its console and asks of the network"""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in "--headless=new", "--disable-gpu", "--no-first-run", "--window-size=1400,900":
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
