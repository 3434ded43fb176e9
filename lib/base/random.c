/* Random numbers by number: splitmix64 of what they are numbered by. https://prng.di.unimi.it/splitmix64.c */
#include "base/random.h"

#include <math.h>

uint64_t weir_random_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t weir_random_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

size_t weir_random_below(uint64_t key, size_t n)
{
    return (size_t)((unsigned __int128)weir_random_mix(key) * n >> 64);
}

size_t weir_random_draw(uint64_t seed, size_t prompt, enum weir_draw axis, size_t n)
{
    uint64_t key = weir_random_fold(seed, prompt);
    return weir_random_below(axis == WEIR_DRAW_PROMPT ? key : weir_random_fold(key, axis), n);
}

/* Two uniform numbers, the first in (0, 1], whose logarithm there is, the second in [0, 1), both multiples of 2^-53. */
double weir_random_normal(uint64_t key, uint64_t i)
{
    double u = (double)((weir_random_fold(key, 2 * i) >> 11) + 1) * 0x1p-53;
    double v = (double)(weir_random_fold(key, 2 * i + 1) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}
