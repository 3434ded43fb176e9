"""The prompts of the fixtures: fixed token ids within the tiny models' vocabulary, and what is stored of each."""
import random

VOCAB = 211
LENGTHS = (1, 2, 23, 90)
# of the longest prompt a sample of rows keeps the fixtures small: the start, around a window of 9 and Llama 3's
# original 32 positions, the end
SAMPLED = {90: (0, 8, 9, 31, 33, 57, 89)}


def tokens(n, seed=0):
    """`n` ids; every prompt of one seed begins like the longer ones"""
    draw = random.Random(1000 + seed)
    return [draw.randrange(VOCAB) for _ in range(n)]


def rows(n):
    return list(SAMPLED.get(n, range(n)))
