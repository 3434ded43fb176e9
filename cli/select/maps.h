/* The prompts, layers, heads, queries and keys that a command looks at, and their attention one map at a time. */
#ifndef WEIR_CLI_SELECT_MAPS_H
#define WEIR_CLI_SELECT_MAPS_H

#include "cli/args/args.h"

#include "analysis/analysis.h"
#include "points/select.h"

/* The options of a command that choose them. */
struct map_choice_opts {
    int layer, head, prompt, query, key;
};

enum join { EACH, SUM, MEAN };

/* Positions that one --query or --key names: a slice, or a token's text. */
struct tokens_named {
    const char *text; /* NULL: a slice */
    struct weir_slices slices;
};

struct named {
    const char *option; /* "--query" */
    struct tokens_named *list;
    size_t n, capacity;
    bool *marked; /* [most tokens of a prompt] what the list names in the prompt at hand; NULL: everything */
};

struct map_choice {
    const weir_file *file;
    const weir_file_point *pattern;
    bool *layers, *heads, *prompts;      /* marks */
    size_t n_layers, n_heads, n_prompts; /* how many are marked */
    int n_layers_all, n_heads_all, n_prompts_all;
    struct named queries, keys;
    bool drop_first;
    bool mask; /* NaN where a query cannot look: for drawing */
    enum join join;
};

/* Reads the options. Without them: every stored layer and head; prompt 0, or all prompts. Close with map_choice_close.
 */
WEIR_CHECKED weir_status map_choice_open(struct map_choice *out, const weir_file *file, const struct args *args,
                                         const struct map_choice_opts *opts, bool all_prompts);
void map_choice_close(struct map_choice *chosen);
/* The first prompt that is chosen. */
int map_choice_first_prompt(const struct map_choice *chosen);
/* The most maps that map_choice_each will pass on: it leaves out prompts without the queries or keys. */
size_t map_choice_count(const struct map_choice *chosen);
/* Marks of a prompt's queries and keys, NULL where all are meant: a weir_tokens_fn whose payload is the chosen. With
   several prompts one that does not have the tokens has no marks set. */
weir_status map_choice_tokens(const bool **queries, const bool **keys, int prompt, void *payload);

/* One head's pattern, or that of several joined. */
struct map {
    const struct map_choice *chosen;
    int layer, head; /* -1: joined */
    int prompt;
    size_t n_joined; /* how many heads it is made of */
    const struct weir_attention *attention;
};

typedef weir_status map_fn(const struct map *map, void *payload);

/* Calls `each` by prompt, layer, head. One map is in memory at a time. */
WEIR_CHECKED weir_status map_choice_each(struct map_choice *chosen, map_fn *each, void *payload);
/* "layer 3, head 0, prompt 1 of 2", "mean of 12 heads (layers 0-3, heads 1,5), prompt 0 of 1". */
void map_title(char *to, size_t size, const struct map *map);
/* The largest weight that there can be. */
double map_most(const struct map *map);

#endif
