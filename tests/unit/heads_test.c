/* Heads' scores from a file and from a run: every allocation fails once, and each time it is an error and nothing
 * leaks. */
#include "analysis/heads.h"
#include "base/alloc.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int32_t ids[] = {5, 7, 9, 5, 7, 9};

enum { LENGTH = 6 };

static const char matrix_text[] = "1\t0 0 0 0 0\n1 0 0 0 0 0\n0 0 1 0 0 0\n0 1 0 0 0 0\n0 0 1 0 0 0\n0 0 0 1 0 0\n";

static weir_status score(struct weir_heads **out, weir_model *model, const char *matrix)
{
    struct weir_heads_options options = {.exclude_bos = true};
    struct weir_detection_matrix *detect = NULL;
    weir_tokens tokens = {0};
    weir_status status = weir_tokens_from_ids(&tokens, model, ids, LENGTH);
    if (status == WEIR_OK)
        status = weir_detection_matrix_read(&detect, matrix);
    options.detect = detect;
    if (status == WEIR_OK)
        status = weir_heads_of_model(out, model, &tokens, 1, &options);
    weir_detection_matrix_close(detect);
    weir_tokens_close(&tokens);
    return status;
}

static void write_matrix(char path[64])
{
    snprintf(path, 64, "/tmp/weir-heads-%d.txt", (int)getpid());
    FILE *file = fopen(path, "w");
    fputs(matrix_text, file);
    fclose(file);
}

Test(heads, scoring_a_model_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    weir_status status = WEIR_E_MEMORY;
    char matrix[64];
    long n;
    write_matrix(matrix);
    for (n = 0; status != WEIR_OK && n < 10000; n++) {
        weir_model *model = NULL;
        struct weir_heads *heads = NULL;
        cr_assert_eq(weir_model_open(&model, MODELS "gpt2", &(weir_model_options){.n_threads = 2}), WEIR_OK);
        weir_alloc_fail_after(n);
        status = score(&heads, model, matrix);
        weir_alloc_fail_after(-1);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !heads), "allocation %ld: %s", n, weir_message());
        weir_heads_close(heads);
        weir_model_close(model);
    }
    cr_expect(n > 30 && n < 10000, "%ld allocations", n);
    unlink(matrix);
}

Test(heads, keys_that_are_excluded_match_no_query)
{
    weir_model *model;
    struct weir_heads *heads = NULL;
    struct weir_head head;
    char matrix[64];
    write_matrix(matrix);
    cr_assert_eq(weir_model_open(&model, MODELS "gpt2", NULL), WEIR_OK);
    cr_assert_eq(score(&heads, model, matrix), WEIR_OK, "%s", weir_message());
    for (int layer = 0; layer < weir_heads_layers(heads); layer++)
        for (int i = 0; i < weir_heads_heads(heads); i++) {
            cr_assert(weir_heads_get(&head, heads, layer, i));
            cr_expect_eq(head.n, LENGTH);
            cr_expect_eq(head.match[WEIR_DETECT_PREVIOUS].queries, LENGTH - 2, "key 0 is excluded");
            cr_expect_eq(head.match[WEIR_DETECT_INDUCTION].queries, 3);
            cr_expect_eq(head.match[WEIR_DETECT_MATRIX].queries, 4, "two ask for key 0 only");
            cr_expect(head.match[WEIR_DETECT_MATRIX].weight > 0 && head.match[WEIR_DETECT_MATRIX].weight < 1);
        }
    weir_heads_close(heads);
    weir_model_close(model);
    unlink(matrix);
}
