"""Trains rill, the model that comes with weir: script/train-model, see ../README.md for what came of it.

A GPT-2 that reads English and, as often, text that repeats itself, until it has heads that look at the previous token
and heads that look for what followed last time. Writes the model as Hugging Face has it into --out.
"""
import argparse
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel

import corpus
import measure

END = "<|endoftext|>"           # id 0: stands in front of every text, and is where heads rest
N_VOCAB, N_CTX = 4000, 256
CONFIG = dict(vocab_size=N_VOCAB, n_positions=N_CTX, n_embd=160, n_layer=4, n_head=5, activation_function="gelu_new",
              resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
TOKENS_A_STEP = 4096
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class Stage:
    """Steps of one kind, with an optimizer of their own. Every `repeating`-th text repeats itself."""
    steps: int
    repeating: int
    unpredictable: float        # the weight of the loss where random tokens come for the first time
    rate: float                 # its peak, after `warmup` steps; then it falls along a cosine of `horizon` steps
    warmup: int
    horizon: int
    shares: tuple = (0.2, 0.35, 0.45)   # how often texts have each of LENGTHS
    short: int = 0              # so many steps have texts of 64 tokens only: circuits for repeats form sooner


STAGES = (Stage(steps=1100, repeating=2, unpredictable=0.1, rate=3e-3, warmup=200, horizon=5000, short=750),
          Stage(steps=400, repeating=4, unpredictable=0.2, rate=2e-3, warmup=50, horizon=400),
          Stage(steps=400, repeating=2, unpredictable=0.2, rate=2e-3, warmup=30, horizon=400, shares=(0.0, 0.2, 0.8)))
LENGTHS = (64, 128, 256)
FLOOR = 0.02                    # of the peak, where the cosine ends


def train_tokenizer(text):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=N_VOCAB, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(text.split("\n"), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", pair=f"{END} $A $B:1",
                                                             special_tokens=[(END, 0)])
    return tokenizer


def encode(tokenizer, text):
    return np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int64)


def piece(rng, english, n):
    at = rng.integers(len(english) - n)
    return english[at:at + n]


def repeating(rng, english, n, unpredictable):
    """n tokens, most of them copies of one segment, with something between, and the weight of each token's loss."""
    ids, weights = [], []

    def add(tokens, weight):
        ids.extend(tokens)
        weights.extend([weight] * len(tokens))

    def random(m):
        return rng.integers(1, N_VOCAB, m)

    if rng.random() < 0.4:
        add(piece(rng, english, rng.integers(1, n // 4)), 1.0)
    readable = rng.random() < 0.25
    m = rng.integers(4, (n - len(ids)) // 2 + 1)
    segment = piece(rng, english, m) if readable else random(m)
    between = rng.integers(1, 9) if rng.random() < 0.3 else 0
    add(segment, 1.0 if readable else unpredictable)
    while len(ids) < n:
        add(random(between), unpredictable)
        add(segment, 1.0)
    return ids[:n], weights[:n]


def batch(rng, english, length, stage):
    """(ids, weights), both [text, length]: English and texts that repeat themselves; END in front of each."""
    ids, weights = [], []
    for i in range(TOKENS_A_STEP // length):
        if i % stage.repeating == 0:
            tokens, weight = repeating(rng, english, length - 1, stage.unpredictable)
        else:
            tokens, weight = piece(rng, english, length - 1), [1.0] * (length - 1)
        ids.append([0, *tokens])
        weights.append([0.0, *weight])
    return torch.tensor(np.array(ids)), torch.tensor(np.array(weights), dtype=torch.float32)


def loss_of(model, ids, weights):
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids[:, :-1], use_cache=False).logits                           # [text, pos, d_vocab]
    losses = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


def rate_at(stage, step):
    cosine = 0.5 * (1 + math.cos(math.pi * step / stage.horizon))
    return stage.rate * min(1.0, (step + 1) / stage.warmup) * (FLOOR + (1 - FLOOR) * cosine)


def optimizer_of(model):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    return torch.optim.AdamW([dict(params=matrices, weight_decay=WEIGHT_DECAY), dict(params=others, weight_decay=0.0)],
                             betas=(0.9, 0.95))


def take_step(model, optimizer, rate, ids, weights):
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = loss_of(model, ids, weights)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(model, english, stage, seed, after):
    """Runs one stage; after(loss) is called behind every step."""
    rng, optimizer = np.random.default_rng(seed), optimizer_of(model)
    for step in range(stage.steps):
        length = LENGTHS[0] if step < stage.short else int(rng.choice(LENGTHS, p=stage.shares))
        after(take_step(model, optimizer, rate_at(stage, step), *batch(rng, english, length, stage)))


class Log:
    """A row every hundred steps: printed, and added to a CSV file."""
    EVERY = 100

    def __init__(self, path, model, valid, step=0):
        self.file, self.model, self.valid = open(path, "w", newline=""), model, valid
        self.writer, self.step, self.total = None, step, 0.0
        self.write(math.nan)

    def after(self, loss):
        self.step += 1
        self.total += loss
        if self.step % self.EVERY == 0:
            self.write(self.total / self.EVERY)
            self.total = 0.0

    def write(self, loss):
        row = dict(step=self.step, train=round(loss, 4), **measure.brief(self.model, self.valid))
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, row)
            self.writer.writeheader()
        self.writer.writerow(row)
        self.file.flush()
        print(time.strftime("%H:%M:%S"), *(f"{name} {value}" for name, value in row.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="where the texts are unpacked")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from-stage", type=int, default=0, help="goes on behind the stages before, from OUT/stage-N.pt")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)    # at this size two are not much faster, and much slower where others work too
    args.out.mkdir(parents=True, exist_ok=True)

    text, held_out = corpus.read(args.corpus)
    tokenizer = train_tokenizer(text)
    tokenizer.save(str(args.out / "tokenizer.json"), pretty=False)
    english, valid = encode(tokenizer, text), encode(tokenizer, held_out)
    print(f"{len(english):,} tokens of {len(text):,} characters; {len(valid):,} held out")

    model = GPT2LMHeadModel(GPT2Config(**CONFIG))
    done = STAGES[:args.from_stage]
    if done:
        model.load_state_dict(torch.load(args.out / f"stage-{args.from_stage}.pt"))
    log = Log(args.out / f"log-{args.from_stage}.csv", model, valid, sum(stage.steps for stage in done))
    for i, stage in enumerate(STAGES[args.from_stage:], args.from_stage):
        train(model, english, stage, args.seed + i, log.after)
        torch.save(model.state_dict(), args.out / f"stage-{i + 1}.pt")
    model.half().save_pretrained(args.out)


if __name__ == "__main__":
    main()
