/* weir view: a page of attention patterns, neurons, the residual stream and grids of patches. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/page/page.h"
#include "cli/print/say.h"
#include "cli/print/text.h"
#include "cli/select/files.h"

#include "base/sizes.h"

enum { OUT, LAYER, HEAD, PROMPT, NEURONS, MAX_SIZE, FORCE };

static const struct opt opts[] = {
    [OUT] = {'o', "output", OPT_TEXT, "PAGE.html", "the file to write", .required = true},
    [LAYER] = {'l', "layer", OPT_TEXT, "LAYERS", "which layers, as in 3, 0:6 or 2+5; by default all that are stored"},
    [HEAD] = {'H', "head", OPT_TEXT, "HEADS", "which heads, likewise"},
    [PROMPT] = {0, "prompt", OPT_TEXT, "PROMPTS", "which prompts, likewise"},
    [NEURONS] = {0, "neurons", OPT_TEXT, "LIST",
                 "which neurons, as in mlp_post:3.10+25, or units of any other hook point [pos, units]; by default the "
                 "most active in each layer"},
    [MAX_SIZE] = {0, "max-size", OPT_WHOLE, "MB", "the largest size of the page; 100 by default", .least = 1,
                  .most = 1000},
    [FORCE] = OPT_FORCE,
};

static void print_view_done(const char *path, const struct page_summary *page)
{
    char size[16];
    say("%s: %s, %zu prompt%s", path, weir_size_text(size, page->bytes), page->n_prompts, plural(page->n_prompts));
    if (page->n_heads)
        say(", %zu x %zu heads", page->n_layers, page->n_heads);
    if (page->n_whole < page->n_patterns)
        say(" (%zu with every weight, the others with their largest weights)", page->n_whole);
    if (page->n_units)
        say(", %zu neurons", page->n_units);
    if (page->n_grids)
        say(", %zu grid%s of patches", page->n_grids, plural(page->n_grids));
    say("; open it in a browser\n");
}

static int run_view(const struct args *args)
{
    weir_file *file;
    struct page_summary page;
    const struct page_choice choice = {
        .layers = args->text[LAYER],
        .heads = args->text[HEAD],
        .prompts = prompts_text(args, PROMPT),
        .units = args->text[NEURONS],
        .raise = "",
        .limit = (uint64_t)args_int(args, MAX_SIZE, PAGE_LIMIT / PAGE_MB) * PAGE_MB,
        .force = args->has[FORCE],
    };
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = page_write(&page, args->text[OUT], file, &choice);
    if (status == WEIR_OK)
        print_view_done(args->text[OUT], &page);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_view = {
    .name = "view",
    .summary =
        "write an interactive HTML page of attention patterns, neurons, the residual stream and grids of patches",
    .usage = "FILE -o PAGE.html [OPTIONS]",
    .notes = "The page is one file that needs no network: every head as a thumbnail, one or several as a map, the "
             "tokens coloured by attention from or to a token; neurons; norms of the residual stream; the predictions "
             "of dump --next; the grids of weir patch -o. Press ? in it for its keys. Weights are shown as stored, to "
             "four digits. If there are "
             "too many, the heads with the highest detection scores have every weight, and the others have the largest "
             "weight of every block and each query's strongest keys.",
    .example = "weir view run.h5 -o page.html --layer 0:6",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_view,
    .reads_files = true,
};
