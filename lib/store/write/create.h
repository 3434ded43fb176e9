/* Makes a cache file with everything in it but activations. */
#ifndef WEIR_STORE_WRITE_CREATE_H
#define WEIR_STORE_WRITE_CREATE_H

#include "store/write/dataset.h"

/* A new file over the (empty) partial one, whose bytes go to `output`, which must outlive it. */
WEIR_CHECKED weir_status weir_create_file(hid_t *out, const char *partial_path, struct weir_output *output);
/* Attributes, dimension scales, prompts, tokens, and the datasets: n_points of activations, then the columns of the
   tables that have rows, table by table. After a failure, datasets that were not created are zero. */
WEIR_CHECKED weir_status weir_create_content(hid_t file, struct weir_dataset *datasets,
                                             const struct weir_store_spec *spec, const struct weir_sizes *sizes,
                                             const char *path);
/* /next/word_id and /next/word_text: the tokens that are among the likeliest anywhere, ids [n] ascending, and what they
   show as. */
WEIR_CHECKED weir_status weir_create_words(hid_t file, const struct weir_store_spec *spec, const int32_t *ids, size_t n,
                                           const char *path);
/* Writes a column that has one value per prompt: values [n_prompts]. */
WEIR_CHECKED weir_status weir_write_column(hid_t file, const struct weir_set *column, const weir_bits *values,
                                           const char *path);

#endif
