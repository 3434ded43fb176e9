/* weir tui: browses a file on the full screen. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/select/files.h"
#include "cli/tui/app.h"

#include <string.h>

enum { PROMPT };

static const struct opt opts[] = {[PROMPT] = OPT_PROMPT_INDEX};

/* Index of the pattern among the stored points; -1 when there is none. */
static int find_pattern_index(const weir_file *file)
{
    for (int i = 0; weir_file_point_at(file, i); i++)
        if (weir_file_point_at(file, i)->point->id == WEIR_P_PATTERN)
            return i;
    return -1;
}

/* Draws, waits for a key, acts on it. */
static weir_status browse_until_quit(struct tui_app *app)
{
    int key;
    bool is_text, goes_on = true;
    tui_look_up(app);
    while (goes_on) {
        tui_draw(app);
        TRY(screen_key(&key, &is_text));
        goes_on = tui_act(app, key, is_text);
    }
    return WEIR_OK;
}

static weir_status browse_on_screen(struct tui_app *app, int prompt)
{
    TRY(tui_extent_read(&app->extent, app->file));
    tui_begin(&app->state, &app->extent, find_pattern_index(app->file), prompt);
    TRY(screen_open());
    weir_status status = browse_until_quit(app);
    screen_close();
    return status;
}

static int run_tui(const struct args *args)
{
    weir_file *file = NULL;
    struct tui_app app = {.path = args->words[0]};
    int prompt;
    weir_status status;
    TRY_DONE(screen_check());
    TRY_DONE(weir_file_open(&file, args->words[0]));
    app.file = file;
    TRY_DONE(prompt_index(&prompt, file, args, PROMPT));
    status = with_texts(browse_on_screen(&app, prompt), file);
done:
    tui_band_close(&app.band);
    tui_band_close(&app.locked);
    stored_next_close(&app.next);
    tui_extent_close(&app.extent);
    weir_file_close(file);
    return status == WEIR_E_STOPPED && screen_signal() ? 128 + screen_signal() : (int)status;
}

const struct command cmd_tui = {
    .name = "tui",
    .summary = "browse a file full-screen: hook points, prompts, heads, values; ? shows the keys",
    .usage = "FILE [OPTIONS]",
    .notes = "Only the values on the screen are read. docs/tui.md shows the browser and lists the keys.",
    .example = "weir tui run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .reads_files = true,
    .run = run_tui,
};
