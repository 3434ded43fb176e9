"""What rill is measured by, in PyTorch: losses, and where each head looks."""
import numpy as np
import torch

REPEATS = (16, 32, 64)          # lengths of the random segments; each is tried this many times
TEXTS = 8


def repeats(n, n_vocab, texts=TEXTS, seed=0):
    """[text, 1 + 2 n] ids: the end-of-text token, then n random tokens twice"""
    half = np.random.default_rng([seed, n]).integers(1, n_vocab, (texts, n))
    return torch.tensor(np.concatenate([np.zeros((texts, 1), np.int64), half, half], 1))


def run(model, ids):
    """(loss of each token but the first [text, pos - 1], patterns [layer, text, head, query, key])"""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        out = model(ids, output_attentions=True, use_cache=False)
    model.set_attn_implementation(implementation)
    losses = torch.nn.functional.cross_entropy(out.logits[:, :-1].float().transpose(1, 2), ids[:, 1:], reduction="none")
    return losses, torch.stack(out.attentions).float()


def previous(patterns):
    """[layer, head]: the mean weight on the token before, over all queries but the first"""
    return patterns.diagonal(-1, -2, -1).mean((1, 3))


def induction(patterns, n):
    """[layer, head]: the mean weight on what followed this token the first time, over the queries of the second half"""
    stripe = patterns.diagonal(1 - n, -2, -1)                   # [layer, text, head, query - (n - 1)]
    return stripe[..., -n:].mean((1, 3))


def english_loss(model, valid, length, texts):
    n = (length - 1) * texts
    ids = torch.tensor(valid[:n].reshape(texts, length - 1))
    ids = torch.cat([torch.zeros(texts, 1, dtype=torch.long), ids], 1)
    with torch.no_grad():
        logits = model(ids[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten()).item()


def brief(model, valid):
    """A row of the training log."""
    n = 50
    losses, patterns = run(model, repeats(n, model.config.vocab_size))
    return dict(english=round(english_loss(model, valid, 256, 16), 4), first=round(losses[:, :n].mean().item(), 4),
                second=round(losses[:, n:].mean().item(), 4), previous=round(previous(patterns).max().item(), 4),
                induction=round(induction(patterns, n).max().item(), 4))
