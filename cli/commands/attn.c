/* weir attn: attention patterns on the terminal, as pictures, as a page or as JSON. */
#include "cli/attn/attn.h"
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/page/page.h"
#include "cli/print/say.h"
#include "cli/select/files.h"

#include "base/sizes.h"

#include <string.h>

enum {
    LAYER,
    HEAD,
    PROMPT,
    QUERY,
    KEY,
    SUM_OF,
    MEAN_OF,
    DROP_FIRST,
    DROP_SELF,
    TOP,
    SCALE,
    PER_HEAD,
    COLUMNS,
    SCHEME,
    PNG,
    SVG,
    HTML,
    FORCE,
    JSON,
    CSV
};

enum { MOST_TOP = 1000000, MOST_COLUMNS = 1000 };

static const struct opt opts[] = {
    [LAYER] = {'l', "layer", OPT_TEXT, "LAYERS", "which layers, as in 3, -1, 0:4 or 1+5; all by default"},
    [HEAD] = {'H', "head", OPT_TEXT, "HEADS", "which heads; all by default"},
    [PROMPT] = {0, "prompt", OPT_TEXT, "PROMPTS",
                "which prompts, as in 1 or 0:3, or all; 0 by default, all with --top"},
    [QUERY] = {'q', "query", OPT_TEXT, "TOKEN", "only these queries: positions, or a token's text", .repeats = true},
    [KEY] = {'k', "key", OPT_TEXT, "TOKEN", "only these keys", .repeats = true},
    [SUM_OF] = {0, "sum", OPT_FLAG, NULL, "add the heads to one map per prompt"},
    [MEAN_OF] = {0, "mean", OPT_FLAG, NULL, "average them instead"},
    [DROP_FIRST] = {0, "drop-first", OPT_FLAG, NULL,
                    "leave out the first token as a key, and renormalize each row (not with --top)"},
    [DROP_SELF] = {0, "drop-self", OPT_FLAG, NULL, "with --top: ignore attention from a token to itself"},
    [TOP] = {0, "top", OPT_WHOLE, "K", "the K strongest pairs of query and key in the selection", 1, MOST_TOP},
    [SCALE] = {0, "scale", OPT_CHOICE, "sqrt|linear|log", "how weights become colours; sqrt by default"},
    [PER_HEAD] = {0, "per-head", OPT_FLAG, NULL, "end each head's scale at its largest weight instead of 1"},
    [COLUMNS] = {0, "columns", OPT_WHOLE, "N", "at most N maps per row; by default one layer's heads", 1, MOST_COLUMNS},
    [SCHEME] = {0, "scheme", OPT_CHOICE, "light|dark", "the colours of a picture; light, for paper, by default"},
    [PNG] = {0, "png", OPT_TEXT, "FILE", "write a picture instead"},
    [SVG] = {0, "svg", OPT_TEXT, "FILE", "write an SVG picture instead"},
    [HTML] = {0, "html", OPT_TEXT, "FILE",
              "write a page to hover over, of the selected layers, heads and prompts; weir view has more"},
    [FORCE] = OPT_FORCE,
    [JSON] = OPT_JSON,
    [CSV] = {0, "csv", OPT_FLAG, NULL, "with --top: print CSV"},
};

static const struct map_choice_opts choosing = {LAYER, HEAD, PROMPT, QUERY, KEY};

/* Options that cannot be combined, and options that need another. */
static const struct {
    int given, with;
    bool needed; /* `with` has to be there too; else it must not be */
} rules[] = {
    {SUM_OF, MEAN_OF, false}, {TOP, SUM_OF, false},   {TOP, MEAN_OF, false},     {TOP, PNG, false},
    {TOP, SVG, false},        {TOP, HTML, false},     {TOP, SCALE, false},       {TOP, PER_HEAD, false},
    {HTML, SUM_OF, false},    {HTML, MEAN_OF, false}, {HTML, DROP_FIRST, false}, {HTML, QUERY, false},
    {HTML, KEY, false},       {HTML, SCALE, false},   {HTML, PER_HEAD, false},   {HTML, JSON, false},
    {PNG, JSON, false},       {SVG, JSON, false},     {CSV, JSON, false},        {CSV, TOP, true},
    {DROP_SELF, TOP, true},   {TOP, COLUMNS, false},  {HTML, COLUMNS, false},    {JSON, COLUMNS, false},
};

/* Refuses options that cannot be combined, and several outputs on one stream. */
static weir_status check_attn_options(const struct args *args)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (args->has[rules[i].given] && args->has[rules[i].with] != rules[i].needed)
            return weir_fail(WEIR_E_USAGE, "--%s %s --%s", opts[rules[i].given].name,
                             rules[i].needed ? "needs" : "cannot be combined with", opts[rules[i].with].name);
    int streams = 0;
    for (int opt = PNG; opt <= HTML; opt++)
        streams += args->has[opt] && strcmp(args->text[opt], "-") == 0;
    if (streams > 1)
        return weir_fail(WEIR_E_USAGE, "only one of --png, --svg and --html can go to standard output");
    if (args->has[SCHEME] && !args->has[PNG] && !args->has[SVG])
        return weir_fail(WEIR_E_USAGE, "--scheme needs --png or --svg");
    if (args->has[FORCE] && !args->has[PNG] && !args->has[SVG] && !args->has[HTML])
        return weir_fail(WEIR_E_USAGE, "--force needs --png, --svg or --html");
    return WEIR_OK;
}

static weir_status write_pictures(struct map_choice *chosen, const struct look *look, const struct args *args)
{
    struct figure *figure;
    TRY(attn_figure(&figure, chosen, look));
    weir_status status = with_texts(WEIR_OK, chosen->file);
    if (status == WEIR_OK)
        status = figure_save(figure, args->text[PNG], args->text[SVG], args->has[FORCE]);
    figure_close(figure);
    return status;
}

/* The page of weir view, of what was chosen here. */
static weir_status write_attn_page(const struct map_choice *chosen, const struct args *args)
{
    struct page_summary page;
    char size[16];
    const struct page_choice choice = {.layers = args->text[LAYER],
                                       .heads = args->text[HEAD],
                                       .prompts = args->has[PROMPT] ? prompts_text(args, PROMPT) : "0",
                                       .limit = PAGE_LIMIT,
                                       .raise = "weir view ",
                                       .force = args->has[FORCE]};
    TRY(page_write(&page, args->text[HTML], chosen->file, &choice));
    say("%s: %s\n", args->text[HTML], weir_size_text(size, page.bytes));
    return WEIR_OK;
}

static weir_status write_attn_files(struct map_choice *chosen, const struct look *look, const struct args *args)
{
    if (args->has[PNG] || args->has[SVG])
        TRY(write_pictures(chosen, look, args));
    return args->has[HTML] ? write_attn_page(chosen, args) : WEIR_OK;
}

/* One of the answers, by the options: a list, files, JSON, one map or several. */
static weir_status answer_attn(struct map_choice *chosen, const struct args *args)
{
    struct look look = {.scale = args->has[SCALE] ? (enum scale)args->whole[SCALE] : SCALE_SQRT,
                        .per_head = args->has[PER_HEAD],
                        .columns = (size_t)args_int(args, COLUMNS, 0),
                        .scheme = args_int(args, SCHEME, 0) ? &scheme_dark : &scheme_light};
    enum form form = args->has[JSON] ? FORM_JSON : args->has[CSV] ? FORM_CSV : FORM_TABLE;
    if (args->has[TOP])
        return attn_print_top(chosen, (size_t)args->whole[TOP], args->has[DROP_SELF], form);
    if (args->has[PNG] || args->has[SVG] || args->has[HTML])
        return write_attn_files(chosen, &look, args);
    if (args->has[JSON])
        return attn_print_json(chosen);
    return map_choice_count(chosen) == 1 ? attn_print_map(chosen, &look) : attn_print_grid(chosen, &look);
}

static int run_attn(const struct args *args)
{
    weir_file *file = NULL;
    struct map_choice chosen = {0};
    weir_status status;
    TRY_DONE(check_attn_options(args));
    TRY_DONE(weir_file_open(&file, args->words[0]));
    TRY_DONE(map_choice_open(&chosen, file, args, &choosing, args->has[TOP]));
    chosen.drop_first = args->has[DROP_FIRST];
    chosen.join = args->has[SUM_OF] ? SUM : args->has[MEAN_OF] ? MEAN : EACH;
    status = answer_attn(&chosen, args);
done:
    status = with_texts(status, file);
    map_choice_close(&chosen);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_attn = {
    .name = "attn",
    .summary = "draw attention patterns, with the strongest keys of each query",
    .usage = "FILE [OPTIONS]",
    .notes = "One head is drawn with its tokens, several as a grid of small maps. A TOKEN is a position or slice (7, "
             "-1, 2:5), or the text of a token, exactly or without the space in front; between bars it is always text: "
             "'|7|'. With --drop-first, rows are renormalized before --sum or --mean combines them. --top uses weights "
             "as stored and reads every selected pattern.",
    .example = "weir attn run.h5 --layer 3 --head 0 --png head.png",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_attn,
    .reads_files = true,
};
