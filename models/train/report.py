"""Measures models/rill as it is stored and writes what was found into ../README.md and ../loss.svg.

The README's prose stays; what stands between <!-- NAME begins --> and <!-- NAME ends --> is written anew.
"""
import argparse
import csv
import math
import re
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

import corpus
import measure
from train import N_CTX, encode

MODELS = Path(__file__).resolve().parents[1]
N, TEXTS = 50, 32
LENGTHS = (8, 16, 32, 64, 127)
PROMPT = "In the beginning"
CURVES = dict(english=("#2166ac", "English, held out"), first=("#999999", "random tokens, the first time"),
              second=("#b2182b", "random tokens, the second time"))


def head_table(model):
    """Of random repeats, and the previous-token score on English too."""
    _, patterns = measure.run(model, measure.repeats(N, model.config.vocab_size, TEXTS))
    return measure.previous(patterns), measure.induction(patterns, N)


def heads(model, english):
    previous, induction = head_table(model)
    _, patterns = measure.run(model, english)
    on_english, first = measure.previous(patterns), patterns[..., 1:, 0].mean((1, 3))
    yield "| layer | head | previous | induction | previous, in English | first token, in English |"
    yield "|---|---|---|---|---|---|"
    for layer in range(previous.shape[0]):
        for head in range(previous.shape[1]):
            row = (x[layer, head].item() for x in (previous, induction, on_english, first))
            yield f"| {layer} | {head} | " + " | ".join(f"{x:.3f}" for x in row) + " |"


def repeats(model):
    losses, _ = measure.run(model, measure.repeats(N, model.config.vocab_size, TEXTS))
    yield (f"A loss of {losses[:, :N].mean():.3f} on the first {N} and {losses[:, N:].mean():.3f} on the second (a uniform guess: "
           f"{math.log(model.config.vocab_size):.3f}).")
    yield "Repeats of other lengths:"
    yield ""
    yield "| random tokens | loss, first time | loss, second time | best previous-token head | best induction head |"
    yield "|---|---|---|---|---|"
    for n in LENGTHS:
        losses, patterns = measure.run(model, measure.repeats(n, model.config.vocab_size, TEXTS))
        yield (f"| {n} | {losses[:, :n].mean():.3f} | {losses[:, n:].mean():.3f} | "
               f"{measure.previous(patterns).max():.3f} | {measure.induction(patterns, n).max():.3f} |")


def by_position(model):
    """How far the best previous-token head reaches."""
    _, patterns = measure.run(model, measure.repeats(127, model.config.vocab_size, TEXTS))
    layer, head = divmod(measure.previous(patterns).argmax().item(), patterns.shape[2])
    weights = patterns[layer, :, head].diagonal(-1, -2, -1).mean(0)                 # [query - 1]
    yield f"The weight that head {head} of layer {layer} gives to the token before, by the query's position:"
    yield ""
    edges = [1, 32, 64, 96, 128, 192, 255]
    yield "| " + " | ".join(f"{a} to {b - 1}" for a, b in zip(edges, edges[1:])) + " |"
    yield "|---" * (len(edges) - 1) + "|"
    yield "| " + " | ".join(f"{weights[a - 1:b - 1].mean():.3f}" for a, b in zip(edges, edges[1:])) + " |"


def english(model, tokenizer, text):
    ids = encode(tokenizer, text)
    texts = len(ids) // (N_CTX - 1)
    loss = measure.english_loss(model, ids, N_CTX, texts)
    bits = loss / math.log(2) * len(ids) / len(text.encode())
    yield (f"Loss on {len(ids):,} held-out tokens, {N_CTX} at a time: {loss:.3f} a token, {bits:.3f} bits a byte. What it writes after "
           f'"{PROMPT}", drawn at temperature 0.7:')
    yield ""
    yield "> " + sample(model, tokenizer).replace("\n", "\n> ")


def sample(model, tokenizer, n=90):
    torch.manual_seed(0)
    ids = torch.tensor([tokenizer.encode(PROMPT).ids])
    out = model.generate(ids, max_new_tokens=n, do_sample=True, temperature=0.7, top_k=0, pad_token_id=0)
    return tokenizer.decode(out[0].tolist())


def log_table(rows):
    names = ["step", "train", "english", "first", "second", "previous", "induction"]
    yield "| " + " | ".join(names) + " |"
    yield "|---" * len(names) + "|"
    for i, row in enumerate(rows):
        if i % 5 == 0 or i == len(rows) - 1:
            yield "| " + " | ".join(f"{float(row[name]):.3f}" if name != "step" else row[name] for name in names) + " |"


def polyline(rows, name, colour, x, y):
    points = " ".join(f"{x(float(row['step'])):.1f},{y(float(row[name])):.1f}" for row in rows)
    return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>'


def loss_svg(rows):
    width, height, left, bottom, top = 720, 360, 48, 36, 12
    last, most = float(rows[-1]["step"]), math.ceil(max(float(row[name]) for row in rows for name in CURVES))

    def x(step):
        return left + step / last * (width - left - 12)

    def y(loss):
        return top + (1 - loss / most) * (height - top - bottom)

    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    for loss in range(0, most + 1, 2):
        yield f'<path d="M{left} {y(loss):.1f}H{width - 12}" stroke="#ddd"/>'
        yield f'<text x="{left - 8}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss}</text>'
    for step in range(0, int(last) + 1, 1000):
        yield f'<text x="{x(step):.1f}" y="{height - 18}" text-anchor="middle">{step}</text>'
    yield f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">step</text>'
    yield f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">loss, nats a token</text>'
    for i, (name, (colour, label)) in enumerate(CURVES.items()):
        yield polyline(rows, name, colour, x, y)
        yield f'<text x="{left + 12}" y="{y(0) - 12 - 16 * i:.1f}" fill="{colour}">{label}</text>'
    yield "</svg>"


def put(text, name, lines):
    """text with the part between the marks of that name written anew"""
    begin, end = f"<!-- {name} begins -->\n", f"<!-- {name} ends -->"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return found.sub(lambda _: begin + "\n".join(lines) + "\n" + end, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    args = parser.parse_args()
    _, held_out = corpus.read(args.corpus)
    tokenizer = Tokenizer.from_file(str(MODELS / "rill/tokenizer.json"))
    model = GPT2LMHeadModel.from_pretrained(MODELS / "rill", dtype=torch.float32).eval()
    ids = encode(tokenizer, held_out)[:TEXTS * 2 * N].reshape(TEXTS, 2 * N)
    some = torch.tensor(np.concatenate([np.zeros((TEXTS, 1), np.int64), ids], 1))
    rows = list(csv.DictReader(open(MODELS / "training-log.csv")))

    text = (MODELS / "README.md").read_text()
    for name, lines in dict(english=english(model, tokenizer, held_out), repeats=repeats(model), reach=by_position(model), heads=heads(model, some),
                            log=log_table(rows)).items():
        text = put(text, name, lines)
    (MODELS / "README.md").write_text(text)
    (MODELS / "loss.svg").write_text("\n".join(loss_svg(rows)) + "\n")


if __name__ == "__main__":
    main()
