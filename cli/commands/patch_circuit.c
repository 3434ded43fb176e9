/* weir patch --circuit: the metric of clean prompts, of corrupt ones, and of a circuit whose surroundings are corrupt.
 */
#include "cli/commands/patch_circuit.h"

#include "base/alloc.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include <math.h>
#include <stdio.h>

/* Of one metric over pairs. */
struct circuit_mean {
    double mean, error; /* error: standard, of the mean; NaN with fewer than two pairs */
};

static struct circuit_mean mean_over_pairs(const double *values, size_t n_pairs, size_t n_metrics, size_t m)
{
    double sum = 0, squares = 0, n = (double)n_pairs;
    for (size_t i = 0; i < n_pairs; i++)
        sum += values[i * n_metrics + m] / n;
    for (size_t i = 0; i < n_pairs; i++)
        squares += (values[i * n_metrics + m] - sum) * (values[i * n_metrics + m] - sum);
    return (struct circuit_mean){sum, n_pairs > 1 ? sqrt(squares / (n - 1) / n) : (double)NAN};
}

/* The columns of a row: clean, corrupt, circuit; how far the circuit is from corrupt to clean. */
struct circuit_row {
    struct circuit_mean of[3];
    double faithfulness;
};

static struct circuit_row row_of_metric(const struct patch_circuit *what, size_t m)
{
    const double *const all[3] = {what->values.clean, what->values.corrupt, what->values.circuit};
    struct circuit_row row;
    for (size_t i = 0; i < 3; i++)
        row.of[i] = mean_over_pairs(all[i], what->n_pairs, what->options.n_metrics, m);
    row.faithfulness = (row.of[2].mean - row.of[1].mean) / (row.of[0].mean - row.of[1].mean);
    return row;
}

static void print_circuit_csv(const struct patch_circuit *what)
{
    puts("metric,edges,edges_of_model,pairs,clean,clean_stderr,corrupt,corrupt_stderr,circuit,circuit_stderr,"
         "normalised");
    for (size_t m = 0; m < what->options.n_metrics; m++) {
        struct circuit_row row = row_of_metric(what, m);
        print_csv_text(what->metrics[m]);
        printf(",%zu,%zu,%zu", what->circuit->n_inside, what->circuit->n_edges, what->n_pairs);
        for (size_t i = 0; i < 3; i++) {
            printf(",%.9g", row.of[i].mean);
            printf(isnan(row.of[i].error) ? "," : ",%.9g", row.of[i].error);
        }
        printf(isfinite(row.faithfulness) ? ",%.9g\n" : ",\n", row.faithfulness);
    }
}

static weir_status add_circuit_row(struct table *table, const char *metric, const struct circuit_row *row)
{
    char number[64];
    TRY(table_add(table, "%s", metric));
    for (size_t i = 0; i < 3; i++) {
        TRY(table_add(table, "%s", fixed_number(number, 4, row->of[i].mean)));
        TRY(isnan(row->of[i].error) ? table_add(table, "-") : table_add(table, "%.4f", row->of[i].error));
    }
    return isfinite(row->faithfulness) ? table_add(table, "%s", fixed_number(number, 4, row->faithfulness))
                                       : table_add(table, "-");
}

static weir_status print_circuit_table(const struct patch_circuit *what)
{
    static const char *const names[] = {"metric", "clean",   "stderr", "corrupt",
                                        "stderr", "circuit", "stderr", "normalised"};
    static const enum align aligns[] = {LEFT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT};
    struct table table = {.names = names, .aligns = aligns, .n_columns = sizeof names / sizeof *names};
    weir_status status = WEIR_OK;
    printf("circuit of %zu of %zu edges, the others corrupt, %zu pair%s\n", what->circuit->n_inside,
           what->circuit->n_edges, what->n_pairs, what->n_pairs == 1 ? "" : "s");
    for (size_t m = 0; m < what->options.n_metrics && status == WEIR_OK; m++) {
        struct circuit_row row = row_of_metric(what, m);
        status = add_circuit_row(&table, what->metrics[m], &row);
    }
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

weir_status patch_circuit_print(const struct patch_circuit *what)
{
    if (!what->csv)
        return print_circuit_table(what);
    print_circuit_csv(what);
    return WEIR_OK;
}

weir_status patch_circuit_measure(struct patch_circuit *what, const weir_model *model)
{
    size_t n;
    TRY(weir_in(weir_circuit_read(&what->circuit, model, what->path), "--circuit"));
    TRY(weir_mul(&n, what->n_pairs, what->options.n_metrics));
    TRY(weir_alloc_zero(&what->values.clean, n, sizeof(double)));
    TRY(weir_alloc_zero(&what->values.corrupt, n, sizeof(double)));
    TRY(weir_alloc_zero(&what->values.circuit, n, sizeof(double)));
    return weir_circuit_measure(&what->values, what->circuit, what->run, what->prompts, what->n_pairs, &what->options);
}

void patch_circuit_close(struct patch_circuit *what)
{
    weir_circuit_close(what->circuit);
    weir_free(what->values.clean);
    weir_free(what->values.corrupt);
    weir_free(what->values.circuit);
}
