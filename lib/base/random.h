/* Random numbers that depend on nothing but what they are numbered by: not on the order in which they are asked for,
   nor on threads. docs/sources.md has the formulas, so that others can make the same numbers. */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The output of the generator splitmix64 whose state was x before. */
uint64_t weir_random_mix(uint64_t x);
/* FNV-1a of a name: a number for it that stays when lists change. */
uint64_t weir_random_name(const char *name);
/* The numbers of a key by one more number: fold(fold(seed, a), b) numbers things by seed, a and b. */
static inline uint64_t weir_random_fold(uint64_t key, uint64_t number)
{
    return weir_random_mix(key ^ number);
}

/* One of n: 0 to n - 1, each as likely as the others to within n / 2^64. n > 0. */
size_t weir_random_below(uint64_t key, size_t n);
/* The axes along which a donor is drawn for a prompt. docs/sources.md has their numbers. */
enum weir_draw { WEIR_DRAW_PROMPT, WEIR_DRAW_LAYER, WEIR_DRAW_UNIT, WEIR_DRAW_POSITION, WEIR_DRAW_KEY };
/* Which of n is drawn for a prompt: by seed, prompt and axis only, so that one seed moves together whatever it is given
   to. n > 0. */
size_t weir_random_draw(uint64_t seed, size_t prompt, enum weir_draw axis, size_t n);
/* Number i of a key's normal numbers, of mean 0 and standard deviation 1 (Box and Muller). */
double weir_random_normal(uint64_t key, uint64_t i);

#endif
