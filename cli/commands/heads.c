/* weir heads: a score for every head, of a file or of a model that is run. */
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/args/repeats.h"
#include "cli/attn/head_scores.h"
#include "cli/commands/commands.h"
#include "cli/print/grid.h"
#include "cli/print/json.h"
#include "cli/print/say.h"
#include "cli/print/table.h"
#include "cli/print/text.h"
#include "cli/select/files.h"
#include "cli/select/slices.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum {
    MODEL,
    PULL,
    PROMPT,
    FROM,
    TOKENS,
    LENGTH,
    SEQUENCES,
    SEED,
    BOS,
    THREADS,
    LAYER,
    HEAD,
    EXCLUDE_BOS,
    EXCLUDE_CURRENT,
    DETECT,
    MEASURE,
    SORT,
    REVERSE,
    TOP,
    GRID,
    CSV,
    JSON,
};

enum { PIECE = 1 << 16, MOST_DETECTION = 1 << 29 };

static const struct opt opts[] = {
    [MODEL] = {'m', "model", OPT_TEXT, "MODEL",
               "run a model instead of reading a file: a Hugging Face folder, a .gguf file, or an org/name in the "
               "Hugging Face cache; without a FILE, by default the model named by WEIR_MODEL in the environment, or "
               "else rill, a "
               "small model that comes with weir"},
    [PULL] = OPT_PULL,
    [PROMPT] = {'p', "prompt", OPT_TEXT, "TEXT",
                "with --model, a prompt; may repeat. With a FILE, which of its prompts, as in 0 or 2:5; all by default",
                .repeats = true},
    [FROM] = OPT_PROMPT_FILE,
    [TOKENS] = OPT_PROMPT_IDS,
    [LENGTH] = {0, "length", OPT_WHOLE, "N",
                "without prompts: the length of the random token sequence, which is then repeated; 50 by default",
                .least = 1, .most = 1 << 24},
    [SEQUENCES] = {0, "sequences", OPT_WHOLE, "N", "without prompts: how many random sequences; 8 by default",
                   .least = 1, .most = 1 << 16},
    [SEED] = {0, "seed", OPT_WHOLE, "N", "without prompts: the seed of the random tokens; 0 by default",
              .most = INT64_MAX},
    [BOS] = OPT_BOS,
    [THREADS] = OPT_THREADS,
    [LAYER] = {'l', "layer", OPT_TEXT, "LAYERS", "which layers, as in 3, -1 or 0:6; all by default"},
    [HEAD] = {'H', "head", OPT_TEXT, "HEADS", "which heads; all by default"},
    [EXCLUDE_BOS] = {0, "exclude-bos", OPT_FLAG, NULL, "in the detection scores, count weight on the first token as 0"},
    [EXCLUDE_CURRENT] = {0, "exclude-current-token", OPT_FLAG, NULL,
                         "in the detection scores, count weight on a query's own token as 0"},
    [DETECT] = {0, "detect", OPT_TEXT, "FILE",
                "another detection pattern: a square matrix [query, key] as .npy, or as text with one line per query; "
                "- is standard input"},
    [MEASURE] = {0, "measure", OPT_CHOICE, "ours|mul|abs|all",
                 "which detection measure the table shows; ours by default"},
    [SORT] = {0, "sort", OPT_TEXT, "SCORE", "sort by a score, the largest first; by default by layer and head",
              .offered = score_name},
    [REVERSE] = {0, "reverse", OPT_FLAG, NULL, "the smallest first"},
    [TOP] = {0, "top", OPT_WHOLE, "N", "print the first N heads only", .least = 1, .most = INT32_MAX},
    [GRID] = {0, "grid", OPT_TEXT, "SCORE", "print one score as a grid of layers by heads", .offered = score_name},
    [CSV] = {0, "csv", OPT_FLAG, NULL, "print all scores as CSV"},
    [JSON] = OPT_JSON,
};

/* Options of what is printed, and the heads. */
struct printing {
    struct head_list list;
    enum measure measure;
    bool matrix;                     /* there is a detection matrix */
    const struct score *sort, *grid; /* or NULL */
    const struct args *args;
};

/* ---- JSON and CSV: everything there is ---- */

static void add_counts(cJSON *object, const struct printing *printing, const struct weir_head *head)
{
    char name[48];
    for (int i = 0; score_at(i); i++) {
        const struct score *score = score_at(i);
        if (score->measure != MEASURE_OURS || !score_is_shown(score, MEASURE_ALL, printing->matrix))
            continue;
        snprintf(name, sizeof name, "%s_queries", score->name);
        cJSON_AddNumberToObject(object, name, (double)head->match[score->pattern].queries);
    }
}

static cJSON *json_head_line(const struct printing *printing, const struct head_line *line)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "layer", line->layer);
    cJSON_AddNumberToObject(object, "head", line->head);
    cJSON_AddNumberToObject(object, "queries", (double)line->scores.n);
    for (int i = 0; score_at(i); i++)
        if (score_is_shown(score_at(i), MEASURE_ALL, printing->matrix))
            cJSON_AddItemToObject(object, score_at(i)->name, json_number(score_of(score_at(i), &line->scores)));
    add_counts(object, printing, &line->scores);
    return object;
}

static weir_status print_heads_json(const struct printing *printing)
{
    cJSON *root = cJSON_CreateObject(), *heads = cJSON_AddArrayToObject(root, "heads");
    for (size_t i = 0; i < printing->list.n; i++)
        cJSON_AddItemToArray(heads, json_head_line(printing, &printing->list.lines[i]));
    return json_print(root);
}

static weir_status print_heads_csv(const struct printing *printing)
{
    fputs("layer,head,queries", stdout);
    for (int i = 0; score_at(i); i++)
        if (score_is_shown(score_at(i), MEASURE_ALL, printing->matrix))
            printf(",%s", score_at(i)->name);
    putchar('\n');
    for (size_t i = 0; i < printing->list.n; i++) {
        const struct head_line *line = &printing->list.lines[i];
        printf("%d,%d,%llu", line->layer, line->head, (unsigned long long)line->scores.n);
        for (int j = 0; score_at(j); j++) {
            double value = score_of(score_at(j), &line->scores);
            if (score_is_shown(score_at(j), MEASURE_ALL, printing->matrix))
                printf(isnan(value) ? "," : ",%.7g", value);
        }
        putchar('\n');
    }
    return WEIR_OK;
}

/* ---- the table ---- */

enum { MOST_SCORES = 32 };

static bool is_score_column(const struct printing *printing, int score)
{
    return score_is_shown(score_at(score), printing->measure, printing->matrix);
}

static weir_status add_head_row(struct table *table, const struct printing *printing, const struct head_line *line)
{
    TRY(table_add(table, "%d", line->layer));
    TRY(table_add(table, "%d", line->head));
    for (int i = 0; score_at(i); i++) {
        double value = score_of(score_at(i), &line->scores);
        if (is_score_column(printing, i))
            TRY(isnan(value) ? table_add(table, "-") : table_add(table, "%.3f", value));
    }
    return WEIR_OK;
}

static weir_status print_heads_table(const struct printing *printing)
{
    const char *names[MOST_SCORES + 2] = {"layer", "head"};
    enum align aligns[MOST_SCORES + 2] = {RIGHT, RIGHT};
    struct table table = {.n_columns = 2, .names = names, .aligns = aligns};
    weir_status status = WEIR_OK;
    for (int i = 0; score_at(i); i++) {
        if (!is_score_column(printing, i))
            continue;
        aligns[table.n_columns] = RIGHT;
        names[table.n_columns++] = score_at(i)->name;
    }
    for (size_t i = 0; i < printing->list.n && status == WEIR_OK; i++)
        status = add_head_row(&table, printing, &printing->list.lines[i]);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

/* ---- the strongest of each kind, on standard error ---- */

enum { STRONGEST = 3 };

/* "induction:  L5H1 0.913 (mul 0.871)  L6H9 0.870 (mul 0.802)" */
static void say_strongest(const struct head_list *sorted, const struct score *ours, const char *what)
{
    char mul[64];
    say("%-16s", what);
    if (isnan(score_of(ours, &sorted->lines[0].scores)))
        say(sorted->lines[0].scores.match[ours->pattern].queries > 0 ? "  no head has a score that is a number"
                                                                     : "  no query has a matching key");
    for (size_t i = 0; i < STRONGEST && i < sorted->n; i++) {
        const struct head_line *line = &sorted->lines[i];
        double value = score_of(ours, &line->scores);
        if (!isnan(value))
            say("  L%dH%d %.3f (mul %s)", line->layer, line->head, value,
                fixed_number(mul, 3, line->scores.match[ours->pattern].mul));
    }
    say("\n");
}

/* Leaves the list sorted by the last of them. */
static void say_all_strongest(struct printing *printing)
{
    static const char *const kinds[] = {"previous token:", "duplicate token:", "induction:", "detected:"};
    for (int i = 0; score_at(i); i++) {
        const struct score *score = score_at(i);
        if (score->measure != MEASURE_OURS || !score_is_shown(score, MEASURE_OURS, printing->matrix))
            continue;
        head_list_sort(&printing->list, score, false);
        say_strongest(&printing->list, score, kinds[score->pattern]);
    }
    say("\n");
}

/* ---- the grid ---- */

static void count_score_rows(struct grid *grid, const struct head_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        grid->n_columns =
            (size_t)list->lines[i].head + 1 > grid->n_columns ? (size_t)list->lines[i].head + 1 : grid->n_columns;
        grid->n_rows += i == 0 || list->lines[i].layer != list->lines[i - 1].layer;
    }
}

/* The list is by layer and head. */
static weir_status print_score_grid(const struct printing *printing)
{
    const struct head_list *list = &printing->list;
    struct grid grid = {.row_name = "layer", .column_name = "head"};
    double *values = NULL;
    int *rows = NULL;
    weir_status status;
    count_score_rows(&grid, list);
    TRY_DONE(weir_alloc(&values, grid.n_rows * grid.n_columns, sizeof *values));
    TRY_DONE(weir_alloc(&rows, grid.n_rows, sizeof *rows));
    for (size_t i = 0; i < grid.n_rows * grid.n_columns; i++)
        values[i] = NAN;
    for (size_t i = 0, row = 0; i < list->n; i++) {
        row += i > 0 && list->lines[i].layer != list->lines[i - 1].layer;
        rows[row] = list->lines[i].layer;
        values[row * grid.n_columns + (size_t)list->lines[i].head] = score_of(printing->grid, &list->lines[i].scores);
    }
    grid.values = values;
    grid.rows = rows;
    printf("%s\n", printing->grid->name);
    grid_print(&grid);
done:
    weir_free(values);
    weir_free(rows);
    return status;
}

/* ---- all of it ---- */

/* Every query has an entropy, unless its pattern is NaN. The list is by layer and head. */
static void warn_of_nan(const struct head_list *list)
{
    const struct head_line *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        bool odd = list->lines[i].scores.n > 0 && !isfinite(list->lines[i].scores.entropy);
        first = odd && !first ? &list->lines[i] : first;
        n += odd;
    }
    if (first)
        say("weir: warning: the patterns of %zu of %zu heads are not finite, the first in layer %d, head %d: they have "
            "no scores (weir info --check checks the weights)\n",
            n, list->n, first->layer, first->head);
}

/* Sorts and prints, in one of the forms. */
static weir_status print_heads(struct printing *printing)
{
    const struct args *args = printing->args;
    bool words = !args->has[JSON] && !args->has[CSV] && !printing->grid;
    if (printing->grid)
        return print_score_grid(printing);
    if (words)
        say_all_strongest(printing);
    head_list_sort(&printing->list, printing->sort, args->has[REVERSE]);
    if (args->has[TOP] && (size_t)args->whole[TOP] < printing->list.n)
        printing->list.n = (size_t)args->whole[TOP];
    return args->has[JSON]  ? print_heads_json(printing)
           : args->has[CSV] ? print_heads_csv(printing)
                            : print_heads_table(printing);
}

/* Prompts that were named and count for nothing, as none of their positions are stored. */
static weir_status note_prompts_left_out(const weir_file *file, const struct weir_heads_options *options)
{
    size_t n = (size_t)weir_file_get_info(file)->n_prompts, left_out = 0, first = 0;
    bool *chosen = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&chosen, n, sizeof *chosen));
    TRY_DONE(weir_slices_mark(&options->prompts, chosen, n, "prompt"));
    for (size_t i = 0; i < n; i++) {
        weir_file_prompt prompt;
        TRY_DONE(weir_file_get_prompt(file, (int)i, &prompt));
        if (chosen[i] && prompt.n_rows == 0)
            first = left_out++ ? first : i;
    }
    say_left_out(left_out, first, "scores are");
done:
    weir_free(chosen);
    return status;
}

static weir_status score_file(struct weir_heads **out, const struct args *args, struct weir_heads_options *options)
{
    weir_file *file;
    TRY(weir_in(slices_parse(&options->prompts, prompts_text(args, PROMPT), "prompt"), "--prompt"));
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = weir_heads_of_file(out, file, options);
    if (status == WEIR_OK && *prompts_text(args, PROMPT))
        status = note_prompts_left_out(file, options);
    weir_file_close(file);
    return status;
}

static weir_status make_heads_prompts(struct prompts *out, const weir_model *model, const struct args *args)
{
    const struct prompt_opts which = {PROMPT, FROM, TOKENS, -1, BOS};
    const struct repeats repeats = {.length = args_int(args, LENGTH, 0),
                                    .sequences = args_int(args, SEQUENCES, REPEAT_SEQUENCES),
                                    .seed = args->has[SEED] ? (uint64_t)args->whole[SEED] : 0};
    if (args->has[PROMPT] || args->has[FROM] || args->has[TOKENS])
        return prompts_read(out, model, args, &which);
    return repeats_make(out, model, &repeats);
}

/* Runs the model up to its last pattern, on prompts given or random ones. */
static weir_status score_model(struct weir_heads **out, const struct args *args,
                               const struct weir_heads_options *options)
{
    const weir_model_options how = {.n_threads = args_int(args, THREADS, 0)};
    const char *where;
    weir_model *model = NULL;
    struct prompts prompts = {0};
    weir_status status;
    TRY_DONE(model_where(&where, args, MODEL, PULL));
    TRY_DONE(open_with_notes(&model, where, &how));
    TRY_DONE(make_heads_prompts(&prompts, model, args));
    status = weir_heads_of_model(out, model, prompts.list, prompts.n, options);
done:
    prompts_close(&prompts);
    weir_model_close(model);
    return status;
}

/* Refuses options that belong to the other of the two sources, a file or a model. */
static weir_status check_heads_source(const struct args *args)
{
    static const int of_models[] = {PULL, FROM, TOKENS, LENGTH, SEQUENCES, SEED, BOS, THREADS};
    bool given = args->has[PROMPT] || args->has[FROM] || args->has[TOKENS];
    bool is_file = args->n_words > 0;
    size_t n_prompts = 0;
    for (size_t i = 0; i < args->n_given; i++)
        n_prompts += args->given[i].opt == PROMPT;
    if (args->has[MODEL] && is_file)
        return weir_fail(WEIR_E_USAGE, "give either a FILE or --model MODEL, not both");
    for (size_t i = 0; i < sizeof of_models / sizeof *of_models; i++) {
        bool random = of_models[i] == LENGTH || of_models[i] == SEQUENCES || of_models[i] == SEED;
        if (args->has[of_models[i]] && is_file)
            return weir_fail(WEIR_E_USAGE, "--%s only works with --model; a FILE already has its prompts",
                             opts[of_models[i]].name);
        if (args->has[of_models[i]] && random && given)
            return weir_fail(WEIR_E_USAGE, "--%s only works without prompts, for random tokens",
                             opts[of_models[i]].name);
    }
    if (is_file && n_prompts > 1)
        return weir_fail(WEIR_E_USAGE, "--prompt is given twice; join prompts of a FILE with +, as in 0+2");
    return WEIR_OK;
}

/* Refuses options of printing that cannot be combined, and finds the scores that they name. */
static weir_status check_heads_printing(struct printing *printing)
{
    const struct args *args = printing->args;
    if (args->has[JSON] + args->has[CSV] + args->has[GRID] > 1)
        return weir_fail(WEIR_E_USAGE, "--json, --csv and --grid cannot be combined");
    if (args->has[GRID] && (args->has[SORT] || args->has[TOP]))
        return weir_fail(WEIR_E_USAGE, "--grid shows all heads by layer and cannot be combined with --sort or --top");
    if (args->has[REVERSE] && !args->has[SORT])
        return weir_fail(WEIR_E_USAGE, "--reverse needs --sort SCORE");
    if (args->has[SORT])
        TRY(score_find(&printing->sort, args->text[SORT], printing->matrix, "sort"));
    return args->has[GRID] ? score_find(&printing->grid, args->text[GRID], printing->matrix, "grid") : WEIR_OK;
}

/* All of standard input: a matrix is read here and there. */
static weir_status read_detection_input(char **bytes, size_t *n)
{
    size_t capacity = 0;
    *bytes = NULL;
    *n = 0;
    do {
        if (*n > MOST_DETECTION)
            return weir_fail(WEIR_E_INPUT, "standard input: more than %d MB, too large for a detection pattern",
                             MOST_DETECTION >> 20);
        TRY(weir_grow(bytes, &capacity, *n + PIECE, 1));
        *n += fread(*bytes + *n, 1, PIECE, stdin);
    } while (!feof(stdin) && !ferror(stdin));
    return ferror(stdin) ? weir_fail(WEIR_E_INPUT, "standard input: could not be read") : WEIR_OK;
}

static weir_status read_detection(struct weir_detection_matrix **out, const char *path)
{
    char *bytes;
    size_t n;
    if (strcmp(path, "-") != 0)
        return weir_detection_matrix_read(out, path);
    weir_status status = read_detection_input(&bytes, &n);
    if (status == WEIR_OK)
        status = weir_detection_matrix_parse(out, "standard input", bytes, n);
    weir_free(bytes);
    return status;
}

static int run_heads(const struct args *args)
{
    struct printing printing = {.measure = (enum measure)(MEASURE_OURS + args_int(args, MEASURE, 0)),
                                .matrix = args->has[DETECT],
                                .args = args};
    struct weir_heads_options options = {.exclude_bos = args->has[EXCLUDE_BOS],
                                         .exclude_current_token = args->has[EXCLUDE_CURRENT]};
    struct weir_detection_matrix *matrix = NULL;
    struct weir_heads *heads = NULL;
    weir_status status;
    TRY_DONE(check_heads_source(args));
    TRY_DONE(check_heads_printing(&printing));
    TRY_DONE(slices_parse(&options.layers, args->text[LAYER], "layer"));
    TRY_DONE(slices_parse(&options.heads, args->text[HEAD], "head"));
    if (args->has[DETECT])
        TRY_DONE(read_detection(&matrix, args->text[DETECT]));
    options.detect = matrix;
    TRY_DONE(args->n_words > 0 ? score_file(&heads, args, &options) : score_model(&heads, args, &options));
    TRY_DONE(head_list_open(&printing.list, heads));
    warn_of_nan(&printing.list);
    status = print_heads(&printing);
done:
    head_list_close(&printing.list);
    weir_heads_close(heads);
    weir_detection_matrix_close(matrix);
    weir_slices_close(&options.layers);
    weir_slices_close(&options.heads);
    weir_slices_close(&options.prompts);
    return (int)status;
}

const struct command cmd_heads = {
    .name = "heads",
    .summary = "score every head: previous-token, duplicate-token, induction, entropy and more",
    .usage = "(FILE | [-m MODEL] [-p TEXT | -f FILE | --tokens IDS]...) [OPTIONS]",
    .notes = "The patterns are those of a file, or of a model, which runs up to its last pattern; nothing is written. "
             "Without prompts the model gets a random token sequence repeated once, after BOS if its tokenizer has "
             "one.\n\nentropy is in nats; self and first are the weights on the query's own token and on the first "
             "token; distance is query minus key, averaged by weight. All are means over all queries of all prompts, "
             "and leave out attention sinks.\n\nDetection patterns: previous is the token before the query's, "
             "duplicate are earlier places of the same token, induction the tokens after those, detect a matrix of "
             "your own. A score is the weight that a query gives to its matching keys, averaged over the queries that "
             "have any. SCORE_mul and SCORE_abs are the two measures of TransformerLens's detect_head, computed per "
             "prompt as it does (over all queries, to 3 decimals) and averaged over prompts of more than one token: "
             "mul is the fraction of all attention weight on matching keys; abs is 1 minus the mean absolute "
             "difference between the pattern and the detection pattern. --sort and --grid take these names too, and "
             "--json and --csv have all of them.\n\nThe strongest heads of each kind are printed to standard error.",
    .example = "weir heads run.h5 --sort induction --top 5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .most_words = 1,
    .run = run_heads,
    .reads_files = true,
};
