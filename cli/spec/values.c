/* Reads the values of a run spec by the kinds of their fields. */
#include "cli/spec/values.h"

#include "cli/args/edits.h"
#include "cli/args/jsonl.h"
#include "cli/spec/paths.h"

#include "base/alloc.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATH = 96, MOST_REASON = 400 };

/* A field while it is read. */
struct valuing {
    struct spec *spec;
    const struct document *document;
    const struct args *args;
    const char *folder;
    const struct field *field;
    int option;
    char path[MOST_PATH]; /* "edits[2]" */
    struct sides sides;   /* of pairs */
};

/* ---- options ---- */

/* Keeps new memory as long as the spec. */
static weir_status keep_text(struct spec *spec, char *text)
{
    weir_status status = weir_grow(&spec->texts, &spec->text_capacity, spec->n_texts + 1, sizeof *spec->texts);
    if (status == WEIR_OK)
        spec->texts[spec->n_texts++] = text;
    else
        weir_free(text);
    return status;
}

/* The option with a text that is kept; NULL for a flag. */
static weir_status give_option(struct valuing *v, int option, const char *text)
{
    TRY(weir_grow(&v->spec->given, &v->spec->capacity, v->spec->n + 1, sizeof *v->spec->given));
    v->spec->given[v->spec->n++] = (struct given){option, text};
    return WEIR_OK;
}

/* The same with new memory, which the spec keeps. */
static weir_status give_own(struct valuing *v, int option, char *text)
{
    TRY(keep_text(v->spec, text));
    return give_option(v, option, text);
}

/* ---- failures ---- */

/* "position, head or cell" of "position|head|cell" */
static void list_choices(char *to, size_t size, const char *choices)
{
    const char *last = strrchr(choices, '|');
    size_t at = 0;
    for (const char *p = choices; *p && at + 8 < size; p++)
        at += (size_t)snprintf(to + at, size - at, *p != '|' ? "%c" : p == last ? " or " : ", ", *p);
}

/* Fails: says what this value must be. */
static weir_status wants(const struct valuing *v)
{
    static const char *const wanted[] = {
        [FIELD_NOTE] = "a text",
        [FIELD_FLAG] = "true or false",
        [FIELD_TEXT] = "a text that is not empty",
        [FIELD_RANGE] = "a text that is not empty, or a whole number",
        [FIELD_LIST] = "a text that is not empty, or a list of such texts",
        [FIELD_SELECTION] = "a text that is not empty, or a list of such texts",
        [FIELD_PATH] = "the name of a file",
        [FIELD_MODEL] = "the name of a model",
        [FIELD_SIDES] = "a text, NAME or NAME=FIELD",
        [FIELD_PATHS] = "the name of a file",
        [FIELD_PLUGINS] = "a text, FILE or FILE:ARGS",
        [FIELD_ABLATIONS] = "a text, as in \"z:5.3\" or \"z:5.3=mean\"",
        [FIELD_EDITS] = "an edit, a text or an object of select, op and value",
        [FIELD_METRICS] = "a metric, which is a text",
        [FIELD_PROMPTS] = "a prompt, a text, a list of token ids or an object",
        [FIELD_PAIRS] = "an object of prompts",
    };
    const struct opt *opt = v->option >= 0 ? &v->args->command->opts[v->option] : NULL;
    bool joined = v->field->kind == FIELD_LIST || v->field->kind == FIELD_SELECTION;
    enum field_kind kind = joined && strchr(v->path, '[') ? FIELD_TEXT : v->field->kind;
    char choices[MOST_REASON] = "";
    if (kind == FIELD_WHOLE)
        return document_fail(v->document, v->path, "this must be a whole number from %lld to %lld",
                             (long long)opt->least, (long long)opt->most);
    if (kind != FIELD_CHOICE)
        return document_fail(v->document, v->path, "this must be %s", wanted[kind]);
    list_choices(choices, sizeof choices, opt->value);
    return document_fail(v->document, v->path, "this must be %s", choices);
}

/* Puts the path in front of what another room's message says; all that is wrong in a document is bad input. */
static weir_status fails_here(const struct valuing *v, weir_status status, const char *between)
{
    char why[MOST_REASON];
    if (status == WEIR_OK || status == WEIR_E_MEMORY)
        return status;
    snprintf(why, sizeof why, "%s", weir_message());
    return weir_fail(WEIR_E_INPUT, "%s: %s%s%s", v->document->file, v->path, between, why);
}

/* ---- single values ---- */

/* A text in new memory; an empty one is not wanted. */
static weir_status nonempty_text(char **out, const struct valuing *v, struct span value)
{
    *out = NULL;
    if (*value.from != '"' || value.to - value.from == 2) {
        wants(v);
        return WEIR_E_INPUT; /* as it says: an analyzer does not look into it */
    }
    return scan_text(out, &v->document->scan, value);
}

/* A whole number in its option's range, or that of int32. */
static weir_status read_whole_value(struct valuing *v, struct span value)
{
    const struct opt *opt = &v->args->command->opts[v->option];
    bool ranged = opt->kind == OPT_WHOLE;
    double least = ranged ? (double)opt->least : -INT32_MAX, most = ranged ? (double)opt->most : INT32_MAX;
    char *text;
    cJSON *json = cJSON_ParseWithLength(value.from, (size_t)(value.to - value.from));
    bool is_number = cJSON_IsNumber(json);
    double number = is_number ? json->valuedouble : 0;
    cJSON_Delete(json);
    if (!is_number || number != floor(number) || number < least || number > most)
        return wants(v);
    TRY(weir_format(&text, "%lld", (long long)number));
    return give_own(v, v->option, text);
}

static weir_status read_choice_value(struct valuing *v, struct span value)
{
    char *text;
    TRY(nonempty_text(&text, v, value));
    for (const char *p = v->args->command->opts[v->option].value;; p++) {
        size_t n = strcspn(p, "|");
        if (n == strlen(text) && memcmp(p, text, n) == 0)
            return give_own(v, v->option, text);
        p += n;
        if (!*p)
            break;
    }
    weir_free(text);
    return wants(v);
}

static weir_status read_flag_value(struct valuing *v, struct span value)
{
    if (*value.from == 't')
        return give_option(v, v->option, NULL);
    return *value.from == 'f' ? WEIR_OK : wants(v);
}

static weir_status read_plain_text(struct valuing *v, struct span value)
{
    char *text;
    TRY(nonempty_text(&text, v, value));
    return give_own(v, v->option, text);
}

/* Positions, which are parsed again where they are used: here a failure can say where they stand. */
static weir_status check_range(const struct valuing *v, const char *text)
{
    struct weir_spots spots = {0};
    weir_status status = fails_here(v, weir_spots_parse(&spots, text, strlen(text), "position"), ": ");
    weir_spots_close(&spots);
    return status;
}

static weir_status read_range_value(struct valuing *v, struct span value)
{
    TRY(*value.from == '"' ? read_plain_text(v, value) : read_whole_value(v, value));
    return check_range(v, v->spec->texts[v->spec->n_texts - 1]);
}

/* The file comes first, in FILE:ARGS too. */
static weir_status read_path_text(struct valuing *v, struct span value)
{
    char *text, *path;
    TRY(nonempty_text(&text, v, value));
    weir_status status =
        v->field->kind == FIELD_MODEL ? paths_model(&path, v->folder, text) : paths_from(&path, v->folder, text);
    weir_free(text);
    TRY(status);
    return give_own(v, v->option, path);
}

/* ---- one value or a list ---- */

typedef weir_status read_item(struct valuing *v, struct span value);

static weir_status read_items(struct valuing *v, struct span value, read_item *read)
{
    struct scan scan = v->document->scan;
    bool more = true;
    if (*value.from != '[')
        return read(v, value);
    scan.p = value.from + 1;
    scan.end = value.to;
    if (scan_peek(&scan) == ']')
        return document_fail(v->document, v->path, "the list is empty: leave the field out");
    for (size_t i = 0; more; i++) {
        struct span item = {NULL, NULL};
        snprintf(v->path, sizeof v->path, "%s[%zu]", v->field->path, i);
        scan_peek(&scan);
        item.from = scan.p;
        TRY(scan_value(&scan, 1));
        item.to = scan.p;
        TRY(read(v, item));
        TRY(scan_next(&scan, ']', &more));
    }
    return WEIR_OK;
}

/* Appends to the last text that the spec keeps, behind a comma. */
static weir_status join_item(struct valuing *v, struct span value)
{
    char *text, *joined, **last = &v->spec->texts[v->spec->n_texts - 1];
    TRY(nonempty_text(&text, v, value));
    weir_status status = weir_format(&joined, "%s%s%s", *last, **last ? "," : "", text);
    weir_free(text);
    TRY(status);
    weir_free(*last);
    *last = joined;
    return WEIR_OK;
}

static weir_status read_joined(struct valuing *v, struct span value)
{
    char *empty;
    TRY(weir_copy_string(&empty, ""));
    TRY(keep_text(v->spec, empty));
    TRY(read_items(v, value, join_item));
    return give_option(v, v->option, v->spec->texts[v->spec->n_texts - 1]);
}

/* Its terms are parsed together: one may take away from those before it. */
static weir_status read_selection(struct valuing *v, struct span value)
{
    struct weir_selection *selection;
    TRY(read_joined(v, value));
    snprintf(v->path, sizeof v->path, "%s", v->field->path);
    TRY(fails_here(v, weir_selection_parse(&selection, v->spec->texts[v->spec->n_texts - 1]), ": "));
    weir_selection_close(selection);
    return WEIR_OK;
}

static weir_status read_side_value(struct valuing *v, struct span value)
{
    char *text;
    TRY(nonempty_text(&text, v, value));
    TRY(keep_text(v->spec, text));
    TRY(fails_here(v, sides_add(&v->sides, text), ": "));
    return give_option(v, v->option, text);
}

/* ---- edits and metrics ---- */

/* "edits[2].select: ..." where the message is of a member. */
static const char *between_edit(const char *text)
{
    static const char *const members[] = {"select: ", "op: ", "value: ", "along: ", "keeping: "};
    for (size_t i = 0; *text == '{' && i < sizeof members / sizeof *members; i++)
        if (strncmp(weir_message(), members[i], strlen(members[i])) == 0)
            return ".";
    return ": ";
}

static weir_status give_edit(struct valuing *v, const char *text)
{
    weir_edit *edit;
    char *moved;
    weir_status status = weir_edit_parse(&edit, text);
    if (status != WEIR_OK)
        return fails_here(v, status, between_edit(text));
    status = fails_here(v, paths_edit(&moved, v->folder, edit), ": ");
    weir_edit_close(edit);
    TRY(status);
    return give_own(v, v->option, moved);
}

static weir_status read_edit_value(struct valuing *v, struct span value)
{
    char *text;
    TRY(*value.from == '{' ? weir_copy_bytes(&text, value.from, (size_t)(value.to - value.from))
                           : nonempty_text(&text, v, value));
    if (*value.from == '"' && *text == '{') { /* which the parser takes for an object */
        weir_free(text);
        return document_fail(v->document, v->path,
                             "an edit in JSON is an object here, not a text with an object in it");
    }
    weir_status status = give_edit(v, text);
    weir_free(text);
    return status;
}

static weir_status read_metric_text(struct valuing *v, struct span value)
{
    weir_metric *metric;
    char *text, *moved;
    TRY(nonempty_text(&text, v, value));
    weir_status status = fails_here(v, weir_metric_parse(&metric, text), ": ");
    weir_free(text);
    TRY(status);
    status = fails_here(v, paths_metric(&moved, v->folder, metric), ": ");
    weir_metric_close(metric);
    TRY(status);
    return give_own(v, v->option, moved);
}

/* LIST[=zero|mean|FILE]: what is behind the last = is a file, if it is neither word. */
static weir_status move_ablation(char **out, const struct valuing *v, const char *text)
{
    const char *equals = strrchr(text, '=');
    char *path;
    if (!equals || strcmp(equals, "=zero") == 0 || strcmp(equals, "=mean") == 0)
        return weir_copy_string(out, text);
    TRY(paths_from(&path, v->folder, equals + 1));
    weir_status status = weir_format(out, "%.*s=%s", (int)(equals - text), text, path);
    weir_free(path);
    return status;
}

/* Its grammar is that of the edit that it is short for. */
static weir_status check_ablation(const struct valuing *v, const char *text)
{
    char *written;
    weir_edit *edit;
    TRY(fails_here(v, edits_ablation(&written, text), ": "));
    weir_status status = fails_here(v, weir_edit_parse(&edit, written), ": ");
    weir_free(written);
    TRY(status);
    weir_edit_close(edit);
    return WEIR_OK;
}

static weir_status read_ablation_value(struct valuing *v, struct span value)
{
    char *text, *moved;
    TRY(nonempty_text(&text, v, value));
    weir_status status = check_ablation(v, text);
    if (status == WEIR_OK)
        status = move_ablation(&moved, v, text);
    weir_free(text);
    TRY(status);
    return give_own(v, v->option, moved);
}

/* ---- prompts ---- */

/* JSON on one line: without the space between its values. */
static weir_status fold_value(char **out, struct span value)
{
    bool in_string = false;
    size_t n = 0;
    TRY(weir_alloc(out, (size_t)(value.to - value.from) + 1, 1));
    for (const char *p = value.from; p < value.to; p++) {
        if (!in_string && strchr(" \t\r\n", *p))
            continue;
        (*out)[n++] = *p;
        if (in_string && *p == '\\')
            (*out)[n++] = *++p;
        else if (*p == '"')
            in_string = !in_string;
    }
    (*out)[n] = '\0';
    return WEIR_OK;
}

/* An object: a line of a file of prompts or pairs. */
static weir_status give_line(struct valuing *v, struct span value, const struct sides *sides)
{
    char where[MOST_PATH + MOST_REASON], *line;
    struct scan object = v->document->scan;
    object.p = value.from;
    object.end = value.to;
    object.where = where;
    snprintf(where, sizeof where, "%.*s: %s", MOST_REASON - 2, v->document->file, v->path);
    TRY(jsonl_check(&object, sides));
    TRY(fold_value(&line, value));
    return give_own(v, spec_option_named(v->args->command, "line"), line);
}

/* True for "[464,3797]": whole numbers that fit an id. */
static bool are_ids(const char *text)
{
    const char *p = text;
    do {
        char *end;
        errno = 0;
        bool begins = p[1] >= '0' && p[1] <= '9';
        long id = strtol(p + 1, &end, 10);
        if (!begins || errno || id > INT32_MAX)
            return false;
        p = end;
    } while (*p == ',');
    return strcmp(p, "]") == 0;
}

/* [464, 3797] as 464,3797. */
static weir_status give_ids(struct valuing *v, struct span value)
{
    char *ids;
    TRY(fold_value(&ids, value));
    if (!are_ids(ids)) {
        weir_free(ids);
        return document_fail(v->document, v->path, "token ids are a list of whole numbers: [464, 3797]");
    }
    size_t n = strlen(ids) - 2;
    memmove(ids, ids + 1, n);
    ids[n] = '\0';
    return give_own(v, spec_option_named(v->args->command, "tokens"), ids);
}

static weir_status read_prompt_value(struct valuing *v, struct span value)
{
    char *text;
    if (*value.from == '{')
        return give_line(v, value, &v->sides);
    if (*value.from != '"' && *value.from != '[')
        return wants(v);
    if (v->sides.n > 0)
        return document_fail(v->document, v->path, "with sides a prompt is an object, of which they are members");
    if (*value.from == '[')
        return give_ids(v, value);
    TRY(scan_text(&text, &v->document->scan, value));
    return give_own(v, v->option, text);
}

static weir_status read_pair_value(struct valuing *v, struct span value)
{
    return *value.from == '{' ? give_line(v, value, &v->sides) : wants(v);
}

/* ---- the sides ---- */

/* True for commands whose pairs have the sides clean and corrupt in any case. */
static bool has_pairs(const struct command *command)
{
    return spec_option_named(command, "pairs") >= 0;
}

/* The sides of pairs: in commands that know of none by themselves they are options. */
static weir_status add_sides_of_pairs(struct valuing *v)
{
    static const char *const names[] = {"clean", "corrupt"};
    bool pairs = has_pairs(v->args->command), given = document_value(v->document, "sides").from != NULL;
    int side = spec_option_named(v->args->command, "side");
    if (side >= 0)
        TRY(sides_take(&v->sides, v->args, side));
    if (!pairs && (given || v->args->has[side] ||
                   (!document_value(v->document, "pairs").from && !document_value(v->document, "pair_files").from)))
        return WEIR_OK;
    for (size_t i = 0; i < 2; i++) {
        TRY(sides_add(&v->sides, names[i]));
        if (!pairs)
            TRY(give_option(v, side, names[i]));
    }
    return WEIR_OK;
}

static weir_status check_prompts_or_pairs(const struct document *document)
{
    static const char *const prompts[] = {"prompts", "prompt_files"}, *const pairs[] = {"pairs", "pair_files"};
    for (size_t i = 0; i < 4; i++)
        if (document_value(document, prompts[i / 2]).from && document_value(document, pairs[i % 2]).from)
            return document_fail(document, pairs[i % 2], "there are %s too: a run has prompts or pairs",
                                 prompts[i / 2]);
    return WEIR_OK;
}

/* ---- the whole ---- */

static weir_status read_field_value(struct valuing *v, struct span value)
{
    static read_item *const items[] = {
        [FIELD_SIDES] = read_side_value,         [FIELD_PATHS] = read_path_text,  [FIELD_PLUGINS] = read_path_text,
        [FIELD_ABLATIONS] = read_ablation_value, [FIELD_EDITS] = read_edit_value, [FIELD_METRICS] = read_metric_text,
        [FIELD_PROMPTS] = read_prompt_value,     [FIELD_PAIRS] = read_pair_value,
    };
    static read_item *const single[] = {
        [FIELD_FLAG] = read_flag_value,     [FIELD_WHOLE] = read_whole_value, [FIELD_CHOICE] = read_choice_value,
        [FIELD_TEXT] = read_plain_text,     [FIELD_RANGE] = read_range_value, [FIELD_LIST] = read_joined,
        [FIELD_SELECTION] = read_selection, [FIELD_PATH] = read_path_text,    [FIELD_MODEL] = read_path_text,
    };
    if (v->field->kind == FIELD_NOTE)
        return *value.from == '"' ? WEIR_OK : wants(v);
    if (v->field->kind == FIELD_VERSION || v->field->kind == FIELD_SECTION)
        return WEIR_OK;
    return v->field->kind >= FIELD_SIDES ? read_items(v, value, items[v->field->kind])
                                         : single[v->field->kind](v, value);
}

weir_status values_read(struct spec *spec, const struct document *document, const char *folder, const struct args *args)
{
    struct valuing v = {.spec = spec, .document = document, .args = args, .folder = folder};
    size_t n;
    weir_status status;
    const struct field *fields = spec_fields(&n);
    TRY_DONE(check_prompts_or_pairs(document));
    TRY_DONE(add_sides_of_pairs(&v));
    for (size_t i = 0; i < n; i++) {
        if (!document->values[i].from)
            continue;
        v.field = &fields[i];
        v.option = spec_option(v.field, args->command);
        snprintf(v.path, sizeof v.path, "%s", fields[i].path);
        TRY_DONE(read_field_value(&v, document->values[i]));
    }
done:
    sides_close(&v.sides);
    return status;
}
