"""What weir is measured against, each in a process of its own: python peers.py VERB FOLDER N [...]

    model FOLDER                 writes a random model of GPT-2 small's shape
    tl-dump FOLDER N OUT.h5      TransformerLens: run_with_cache of the five default points, written with h5py
    tl-warm FOLDER N REPEATS     the same several times; prints the seconds of each as a JSON list
    hf-warm FOLDER N REPEATS     transformers' GPT2Model forward alone (sdpa, no unembedding)
"""
import json
import os
import sys
import time

DEFAULT = ("hook_resid_pre", "attn.hook_pattern", "attn.hook_z", "mlp.hook_post", "hook_resid_post")


def ids(n, vocab=50257):
    """the tokens that bench_warm takes too"""
    return [(i * 7919 + 13) % vocab for i in range(n)]


def model(folder):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)


def lens(folder):
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM
    torch.set_grad_enabled(False)
    hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return TransformerBridge.boot_transformers(folder, hf_model=hf, device="cpu")


def capture(lens_model, tokens, out):
    import h5py
    wanted = {f"blocks.{layer}.{name}" for layer in range(lens_model.cfg.n_layers) for name in DEFAULT}
    _, cache = lens_model.run_with_cache(tokens, names_filter=lambda name: name in wanted)
    with h5py.File(out, "w") as f:
        for name in wanted:
            f[name] = cache[name].numpy()


def repeat(times, work):
    """the seconds of each, after one that does not count"""
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


def main():
    verb, folder, *rest = sys.argv[1:]
    if verb == "model":
        return model(folder)
    import torch
    torch.set_num_threads(os.cpu_count())
    tokens = torch.tensor([ids(int(rest[0]))])
    if verb == "tl-dump":
        capture(lens(folder), tokens, rest[1])
    elif verb == "tl-warm":
        lens_model = lens(folder)
        repeat(int(rest[1]), lambda: capture(lens_model, tokens, rest[2]))
    elif verb == "hf-warm":
        from transformers import GPT2Model
        torch.set_grad_enabled(False)
        hf = GPT2Model.from_pretrained(folder, attn_implementation="sdpa").eval()
        repeat(int(rest[1]), lambda: hf(tokens, use_cache=False))
    elif verb == "versions":
        pass
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
