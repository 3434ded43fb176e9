/* Stores without a model: specs and values that tests know, in C and in Python (tests/python/test_store.py). */
#ifndef WEIR_TESTS_STORE_FAKE_H
#define WEIR_TESTS_STORE_FAKE_H

#include "store/layout.h"

enum { FAKE_LAYERS = 3, FAKE_HEADS = 4, FAKE_D_HEAD = 8, FAKE_D_MODEL = 32, FAKE_D_MLP = 48, FAKE_VOCAB = 50 };
enum { FAKE_EXPERTS = 6, FAKE_EXPERT_K = 2, FAKE_MAX_PROMPTS = 8, FAKE_MAX_TOKENS = 4096, FAKE_MAX_TABLES = 4 };

struct fake {
    struct weir_store_spec spec;
    weir_model_info model;
    struct weir_store_prompt prompts[FAKE_MAX_PROMPTS];
    struct weir_store_point points[WEIR_N_POINTS];
    struct weir_planned_table tables[FAKE_MAX_TABLES];
    int32_t *ids[FAKE_MAX_PROMPTS], *positions[FAKE_MAX_PROMPTS];
    bool layers[FAKE_LAYERS];
    const int32_t *units; /* of points with heads, and of neurons; NULL: all */
    size_t n_units;
};

/* Prompts of these lengths, all rows, all layers, no points. */
void fake_open(struct fake *fake, const size_t *lengths, size_t n_prompts);
void fake_close(struct fake *fake);
void fake_add(struct fake *fake, enum weir_point_id id);
/* A table of `width` values per row. */
void fake_add_table(struct fake *fake, const struct weir_table_kind *table, size_t width);
/* The loss, and `top` likely tokens. */
void fake_add_next(struct fake *fake, size_t top);
/* Keeps only every `step`-th position, from `first` on. Marks points as not whole. */
void fake_rows(struct fake *fake, size_t first, size_t step);
/* Stores only layer 1. */
void fake_one_layer(struct fake *fake);
/* Stores only these heads or neurons of every point. */
void fake_units(struct fake *fake, const int32_t *units, size_t n, const char *text);

/* Number i of the value of a point; patterns sum to 1 over key, indices are whole. */
float fake_value(const struct fake *fake, size_t point, int layer, int prompt, size_t i);
/* Number i of a prompt's column: float32, or int32 in its place. */
uint32_t fake_column_value(const struct weir_planned_table *table, int column, int prompt, size_t i);
size_t fake_size(const struct fake *fake, size_t point, int prompt, size_t shape[WEIR_MAX_AXES]);
/* Puts everything. */
weir_status fake_put_all(struct fake *fake, struct weir_store *store);
/* Create, put everything, commit, close. */
weir_status fake_write(struct fake *fake, const char *path);

#endif
