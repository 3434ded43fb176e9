#include "base/alloc.h"
#include "points/nearest.h"
#include "points/select.h"
#include "points/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct weir_selection *selection;

static void close_selection(void)
{
    weir_selection_close(selection);
    selection = NULL;
}

TestSuite(select, .fini = close_selection);
TestSuite(points);

/* The short names of a term's points, in the order of the list, with spaces between. */
static const char *names(const struct weir_term *term)
{
    static char text[2048];
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < WEIR_N_POINTS; i++)
        if (term->points[i])
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "", weir_point_at(i)->name);
    return text;
}

/* What the slices mark of 0 to length - 1, as "0 1 5"; or the message when they are out of range. */
static const char *marks(const struct weir_slices *slices, size_t length)
{
    static char text[512];
    bool marked[64] = {false};
    size_t at = 0;
    if (weir_slices_mark(slices, marked, length, "layer") != WEIR_OK)
        return weir_message();
    text[0] = '\0';
    for (size_t i = 0; i < length; i++)
        if (marked[i])
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%zu", at ? " " : "", i);
    return text;
}

/* The positions of a term that has no names. */
static const struct weir_slices *positions_of(const struct weir_term *term)
{
    static struct weir_slice list[8];
    static struct weir_slices slices;
    const struct weir_spots *spots = &term->where.positions;
    cr_assert(spots->n <= 8);
    slices = (struct weir_slices){list, spots->n};
    for (size_t i = 0; i < spots->n; i++) {
        cr_expect(zero(ptr, spots->list[i].name));
        list[i] = spots->list[i].slice;
    }
    return &slices;
}

static const struct weir_term *first(const char *text)
{
    close_selection();
    weir_status status = weir_selection_parse(&selection, text);
    cr_assert(eq(int, status, WEIR_OK), "%s: %s", text, weir_message());
    return &selection->terms[0];
}

static void refuses(const char *text, const char *message)
{
    close_selection();
    cr_expect(eq(int, weir_selection_parse(&selection, text), WEIR_E_USAGE), "%s", text);
    cr_expect(zero(ptr, selection));
    cr_expect(eq(str, (char *)weir_message(), (char *)message));
}

static void selects(const char *text, const char *points, const char *layers, const char *units, const char *positions)
{
    const struct weir_term *term = first(text);
    cr_expect(eq(str, (char *)names(term), (char *)points), "%s", text);
    cr_expect(eq(str, (char *)marks(&term->where.layers, 12), (char *)layers), "%s", text);
    cr_expect(eq(str, (char *)marks(&term->where.units, 6), (char *)units), "%s", text);
    cr_expect(eq(str, (char *)marks(positions_of(term), 4), (char *)positions), "%s", text);
}

#define ALL12 "0 1 2 3 4 5 6 7 8 9 10 11"
#define ALL6  "0 1 2 3 4 5"
#define ALL4  "0 1 2 3"

Test(select, reads_every_form_of_the_grammar)
{
    selects("pattern", "pattern", ALL12, ALL6, ALL4);
    selects("z:3", "z", "3", ALL6, ALL4);
    selects("pattern:0:6", "pattern", "0 1 2 3 4 5", ALL6, ALL4);
    selects("z:5.3", "z", "5", "3", ALL4);
    selects("z:.3", "z", ALL12, "3", ALL4);
    selects("z::.3", "z", ALL12, "3", ALL4);
    selects("resid_post:-1@-1", "resid_post", "11", ALL6, "3");
    selects("mlp_post:4.1+3:5", "mlp_post", "4", "1 3 4", ALL4);
    selects("z:0+4+6:9", "z", "0 4 6 7 8", ALL6, ALL4);
    selects("z:::4@1:", "z", "0 4 8", ALL6, "1 2 3");
    selects("z@:2", "z", ALL12, ALL6, "0 1");
    selects("z:-3:", "z", "9 10 11", ALL6, ALL4);
    selects("logits@-1", "logits", ALL12, ALL6, "3");
}

Test(select, knows_full_names_and_aliases)
{
    selects("blocks.*.attn.hook_pattern", "pattern", ALL12, ALL6, ALL4);
    selects("blocks.{layer}.attn.hook_pattern:2", "pattern", "2", ALL6, ALL4);
    selects("blocks.3.attn.hook_z", "z", "3", ALL6, ALL4);
    selects("blocks.3.attn.hook_z:.1@0", "z", "3", "1", "0");
    selects("blocks.0.attn.o.hook_in", "z", "0", ALL6, ALL4);
    selects("blocks.11.hook_out", "resid_post", "11", ALL6, ALL4);
    selects("hook_unembed", "unembed", ALL12, ALL6, ALL4);
    selects("blocks.2.mlp.in.hook_out", "mlp_pre mlp_pre_linear", "2", ALL6, ALL4); /* the model tells which */
    cr_expect(not(first("blocks.*.attn.hook_pattern")->by_glob), "one point by its name: a model must have it");
}

Test(select, globs_match_short_and_full_names)
{
    selects("resid_*", "resid_pre resid_mid resid_post", ALL12, ALL6, ALL4);
    selects("blocks.2.attn.hook_rot_?", "rot_q rot_k", "2", ALL6, ALL4);
    selects("ln_final.*", "ln_final_scale ln_final_normalized ln_final_out", ALL12, ALL6, ALL4);
    cr_expect(first("resid_*")->by_glob);
}

Test(select, a_star_leaves_out_what_must_be_named)
{
    const struct weir_term *term = first("*");
    for (int i = 0; i < WEIR_N_POINTS; i++)
        cr_expect(eq(int, term->points[i], !weir_point_at(i)->by_name_only), "%s", weir_point_at(i)->name);
    refuses("attn_i*", "'attn_i*' matches only large, derivable hook points: write their names");
    selects("attn_in", "attn_in", ALL12, ALL6, ALL4);
}

Test(select, a_star_with_layers_means_points_that_have_layers)
{
    const struct weir_term *term = first("*:3");
    for (int i = 0; i < WEIR_N_POINTS; i++)
        cr_expect(not(term->points[i] && !weir_point_at(i)->per_layer), "%s", weir_point_at(i)->name);
    cr_expect(term->points[WEIR_P_Z]);
}

Test(select, nothing_asked_for_is_the_default_set)
{
    selects("", "resid_pre pattern z mlp_post resid_post", ALL12, ALL6, ALL4);
    selects(NULL, "resid_pre pattern z mlp_post resid_post", ALL12, ALL6, ALL4);
}

Test(select, commas_join_terms)
{
    first(" z:1 , pattern@0,logits");
    cr_assert(eq(sz, selection->n, 3));
    cr_expect(eq(str, selection->terms[0].text, "z:1"));
    cr_expect(eq(str, (char *)names(&selection->terms[1]), "pattern"));
    cr_expect(eq(str, (char *)names(&selection->terms[2]), "logits"));
}

Test(select, a_misspelt_name_gets_the_nearest)
{
    refuses("patern:3", "no hook point is called 'patern'; the nearest: pattern");
    refuses("z,resid_pots", "no hook point is called 'resid_pots'; the nearest: resid_post");
    refuses("blocks.3.attn.hook_patern",
            "no hook point is called 'blocks.3.attn.hook_patern'; the nearest: blocks.{layer}.attn.hook_pattern");
    refuses("hook_scores", "no hook point is called 'hook_scores'; the nearest: blocks.{layer}.attn.hook_attn_scores");
    refuses("resid_pst", "no hook point is called 'resid_pst'; the nearest: resid_post");
    refuses("attn_weights", "no hook point is called 'attn_weights'; the nearest: pattern");
    refuses("zz", "no hook point is called 'zz'; the nearest: z");
    refuses("scores", "no hook point is called 'scores'; the nearest: attn_scores");
    refuses("attn.o.hook_inn", "no hook point is called 'attn.o.hook_inn'; the nearest: blocks.{layer}.attn.hook_z");
}

Test(select, a_name_that_is_near_nothing_gets_no_suggestion)
{
    refuses("xyzzy", "no hook point is called 'xyzzy'; weir hooks lists them");
    refuses("nope", "no hook point is called 'nope'; weir hooks lists them");
    refuses("nothook", "no hook point is called 'nothook'; weir hooks lists them");
    refuses("hook_foo", "no hook point is called 'hook_foo'; weir hooks lists them");
    refuses("x", "no hook point is called 'x'; weir hooks lists them");
    refuses("blocks.3.attn.hook_qwerty", "no hook point is called 'blocks.3.attn.hook_qwerty'; weir hooks lists them");
    refuses("xyz*", "no hook point matches 'xyz*'; weir hooks lists them");
}

Test(points, a_word_is_near_those_that_share_most_of_its_letters)
{
    static const char *const words[] = {"mean", "resample", "noise"};
    cr_expect(eq(str, (char *)weir_nearest_word(words, 3, "men"), "mean"));
    cr_expect(eq(str, (char *)weir_nearest_word(words, 3, "sample"), "resample"));
    cr_expect(zero(ptr, (void *)weir_nearest_word(words, 3, "zero")));
    cr_expect(zero(ptr, (void *)weir_nearest_word(words, 3, "")));
}

Test(select, errors_point_at_the_term)
{
    refuses("z:x", "in 'z:x': 'x' is not a layer: write a number or a slice, as in 3, -1, 0:6, 2:, ::4 or 0+4+6:9");
    refuses("pattern,z:1.a", "in 'z:1.a': 'a' is not a head or neuron: write a number or a slice, as in 3, -1, 0:6, "
                             "2:, ::4 or 0+4+6:9");
    refuses("z@1+", "in 'z@1+': '' is not a position: write a number or a slice, as in 3, -1, 0:6, 2:, ::4 or "
                    "0+4+6:9");
    refuses("z:6:0", "in 'z:6:0': '6:0' names no layer: a slice ends before its second number");
    refuses("z:::0", "in 'z:::0': '::0' is not a layer: steps are 1 or more");
    refuses("z:::-1", "in 'z:::-1': '::-1' is not a layer: steps are 1 or more");
    refuses("logits:3", "'logits:3': logits is outside the layers; omit the layer");
    refuses("ln1_scale:3.1", "'ln1_scale:3.1': ln1_scale has no heads or neurons to select");
    refuses("blocks.3.attn.hook_z:4", "'blocks.3.attn.hook_z:4' names its layer twice: in the name and after the "
                                      "colon");
    refuses(":3", "':3' lacks the hook point in front; * selects all");
    refuses("z,,q", "one side of a comma in the selection is empty");
    refuses("z,", "one side of a comma in the selection is empty");
    refuses("patern*", "no hook point matches 'patern*'; the nearest: pattern");
    refuses("blocks.*.attn.hook_zz",
            "no hook point matches 'blocks.*.attn.hook_zz'; the nearest: blocks.{layer}.attn.hook_z");
}

Test(select, hostile_text_is_refused)
{
    char text[4096];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_expect(eq(int, weir_selection_parse(&selection, text), WEIR_E_USAGE));
    memset(text, '+', sizeof text - 1);
    memcpy(text, "z:", 2);
    cr_expect(eq(int, weir_selection_parse(&selection, text), WEIR_E_USAGE));
    cr_expect(eq(int, weir_selection_parse(&selection, "z:99999999999999999999"), WEIR_E_USAGE));
    cr_expect(eq(int, weir_selection_parse(&selection, "[[[*"), WEIR_E_USAGE));
}

Test(select, a_single_index_out_of_range_is_an_error_and_a_slice_clips)
{
    cr_expect(
        eq(str, (char *)marks(&first("z:12")->where.layers, 12), "layer 12 is out of range; it goes from 0 to 11"));
    cr_expect(
        eq(str, (char *)marks(&first("z:-13")->where.layers, 12), "layer -13 is out of range; it goes from 0 to 11"));
    cr_expect(eq(str, (char *)marks(&first("z:0")->where.layers, 0), "layer 0 is out of range; there are none"));
    cr_expect(eq(str, (char *)marks(&first("z:10:99")->where.layers, 12), "10 11"));
    cr_expect(eq(str, (char *)marks(&first("z:50:99")->where.layers, 12), ""));
    cr_expect(eq(str, (char *)marks(&first("z:-99:2")->where.layers, 12), "0 1"));
}

Test(select, minus_zero_is_zero_as_in_Python)
{
    selects("z:-0.-0@-0", "z", "0", "0", "0");
    selects("z:-0:2", "z", "0 1", ALL6, ALL4);
    selects("z:-0+-1", "z", "0 11", ALL6, ALL4);
    selects("z@-00:-1", "z", ALL12, ALL6, "0 1 2");
    refuses("z:2:-0", "in 'z:2:-0': '2:-0' names no layer: a slice ends before its second number");
    cr_expect(weir_slices_name(&first("z:-0")->where.layers, 0, 12));
    cr_expect(not(weir_slices_name(&first("z:-0")->where.layers, 11, 12)));
}

Test(select, slices_name_what_they_mark)
{
    static const char *const texts[] = {"z:0:6:2", "z:1::3", "z:-5::2", "z:3+-1", "z:", "z::7:3+2", "z:11:12:5"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        bool marked[12] = {false};
        const struct weir_slices *layers = &first(texts[t])->where.layers;
        cr_assert(eq(int, weir_slices_mark(layers, marked, 12, "layer"), WEIR_OK));
        for (size_t i = 0; i < 12; i++)
            cr_expect(eq(int, weir_slices_name(layers, i, 12), marked[i]), "%s, layer %zu", texts[t], i);
    }
}

/* What brackets name of axes of 3, 2 and 10, as "first:n:step", a plain number as "first"; or the message. */
static const char *ranges(const char *text)
{
    static const char *const axis_names[] = {"layer", "prompt", "pos"};
    static const size_t shape[] = {3, 2, 10};
    static char to[128];
    struct weir_index index;
    struct weir_range out[3];
    size_t at = 0;
    if (weir_index_parse(&index, text, strlen(text), 3) != WEIR_OK ||
        weir_index_resolve(out, &index, shape, axis_names, 3) != WEIR_OK)
        return weir_message();
    for (int a = 0; a < 3; a++) {
        at += (size_t)snprintf(to + at, sizeof to - at, "%s%zu", a ? " " : "", out[a].first);
        if (!out[a].single)
            at += (size_t)snprintf(to + at, sizeof to - at, ":%zu:%lld", out[a].n, (long long)out[a].step);
    }
    return to;
}

Test(select, brackets_name_what_numpy_would)
{
    cr_expect(eq(str, (char *)ranges("1"), "1 0:2:1 0:10:1"));
    cr_expect(eq(str, (char *)ranges("-1, :, -3:"), "2 0:2:1 7:3:1"));
    cr_expect(eq(str, (char *)ranges("..., ::-4"), "0:3:1 0:2:1 9:3:-4"));
    cr_expect(eq(str, (char *)ranges("0,...,1,"), "0 0:2:1 1"));
    cr_expect(eq(str, (char *)ranges("5:, 1:0, 99:2:-3"), "0:0:1 0:0:1 9:3:-3"));
    cr_expect(eq(str, (char *)ranges("-0, -0:, :-0"), "0 0:2:1 0:0:1"));
    cr_expect(eq(str, (char *)ranges("-0:-0, -0:1, :-0:-3"), "0:0:1 0:1:1 9:3:-3"));
    cr_expect(eq(str, (char *)ranges("0, 2"), "index 2 is out of bounds for axis prompt with size 2"));
    cr_expect(eq(str, (char *)ranges("0,0,0,0"), "too many indices: there are 3 axes"));
    cr_expect(eq(str, (char *)ranges("::0"), "'::0': the step of a slice cannot be 0"));
    cr_expect(eq(str, (char *)ranges("...,..."), "an index has at most one ellipsis (...)"));
    cr_expect(eq(str, (char *)ranges(""), "'' is not an index: write a number, start:stop:step or ..."));
}

Test(select, brackets_stand_in_selections_of_what_is_stored_only)
{
    cr_assert(eq(int, weir_selection_parse_stored(&selection, "blocks.2.attn.hook_z[0,1] , z:3"), WEIR_OK));
    cr_assert(eq(sz, selection->n, 2));
    cr_expect(eq(int, selection->terms[0].index.n, 3), "the layer of the name comes first");
    cr_expect(eq(i64, selection->terms[0].index.items[0].start, 2));
    cr_expect(not(selection->terms[1].index.given));
    refuses("z[0]", "'z[0]': brackets only select stored values; here write HOOK:LAYERS.UNITS@POSITIONS");
}

/* Spots as "3", "1:", "subject[2]", ... with spaces between. */
static const char *spots_text(const struct weir_spots *spots)
{
    static char text[512];
    text[0] = '\0';
    for (size_t i = 0; i < spots->n; i++) {
        const struct weir_spot *spot = &spots->list[i];
        weir_text_append(text, sizeof text, "%s%s", i ? " " : "", spot->name ? spot->name : "");
        const struct weir_slice *slice = spot->name ? spot->of.list : &spot->slice;
        if (slice && slice->single)
            weir_text_append(text, sizeof text, spot->name ? "[%lld]" : "%lld", (long long)slice->start);
        else if (slice)
            weir_text_append(text, sizeof text, "%lld:%lld", slice->has_start ? (long long)slice->start : -99,
                             slice->has_stop ? (long long)slice->stop : 99);
    }
    return text;
}

Test(select, positions_and_keys_may_have_names)
{
    const struct weir_where *where = &first("attn_scores:10:20@-1/subject")->where;
    cr_expect(eq(str, (char *)spots_text(&where->positions), "-1"));
    cr_expect(eq(str, (char *)spots_text(&where->keys), "subject"));
    where = &first("pattern@1:/0")->where;
    cr_expect(eq(str, (char *)spots_text(&where->positions), "1:99"));
    cr_expect(eq(str, (char *)spots_text(&where->keys), "0"));
    where = &first("z@subject[-1]+2+new[0:10]+'a b'+\"c,d\"")->where;
    cr_expect(eq(str, (char *)spots_text(&where->positions), "subject[-1] 2 new0:10 a b c,d"));
    where = &first("pattern/*")->where;
    cr_expect(where->has_keys && !where->has_positions && where->keys.n == 0);
    where = &first("pattern@/3")->where;
    cr_expect(where->has_keys && !where->has_positions);
}

Test(select, prompts_are_numbers_or_a_name)
{
    cr_expect(eq(str, (char *)marks(&first("z#0:3")->where.prompts.numbers, 5), "0 1 2"));
    cr_expect(eq(str, (char *)marks(&first("z:1.2@3#1::2")->where.prompts.numbers, 5), "1 3"));
    cr_expect(eq(str, first("z#clean")->where.prompts.name, "clean"));
    cr_expect(eq(str, first("pattern@-1/0#'the side'")->where.prompts.name, "the side"));
    cr_expect(first("z#:")->where.has_prompts && first("z#:")->where.prompts.numbers.n == 0);
    cr_expect(not(first("z")->where.has_prompts));
}

Test(select, what_was_written_is_kept_apart_from_what_was_left_out)
{
    const struct weir_where *where = &first("z")->where;
    cr_expect(not(where->has_layers || where->has_units || where->has_positions || where->has_keys));
    where = &first("z::.*@:")->where;
    cr_expect(where->has_layers && where->has_units && where->has_positions);
    cr_expect(where->layers.n + where->units.n + where->positions.n == 0);
    where = &first("z:.3")->where;
    cr_expect(not(where->has_layers));
    cr_expect(first("z:*.3")->where.has_layers && first("z:")->where.has_layers && first("z@")->where.has_positions);
    cr_expect(first("blocks.3.attn.hook_z")->where.has_layers);
}

Test(select, a_minus_takes_away_from_the_terms_in_front)
{
    first("z , -z:9.9@-1, - pattern");
    cr_assert(eq(sz, selection->n, 3));
    cr_expect(not(selection->terms[0].takes_away));
    cr_expect(selection->terms[1].takes_away && selection->terms[2].takes_away);
    cr_expect(eq(str, (char *)marks(&selection->terms[1].where.units, 12), "9"));
    cr_expect(eq(str, selection->terms[1].text, "-z:9.9@-1"));
    cr_expect(eq(sz, selection->terms[1].at, 4));
    cr_expect(eq(str, (char *)names(&selection->terms[2]), "pattern"));
    refuses("-z", "'-z' takes away from nothing: name in front what it is taken from, as in z,-z:9.9");
}

Test(select, query_heads_are_chosen_of_points_by_key_value_heads)
{
    cr_expect(first("k_input:5.h1")->where.by_query_head);
    cr_expect(eq(str, (char *)marks(&first("v:5.h7+2")->where.units, 8), "2 7"));
    cr_expect(not(first("v:5.7")->where.by_query_head));
    refuses("z:5.h7", "'z:5.h7': h is for points by key-value heads, such as k and v; z is none: omit it");
    refuses("v:5.h", "in 'v:5.h': 'h' lacks the number of a query head, as in h7");
}

Test(select, keys_names_and_prompts_have_their_own_errors)
{
    refuses("z@1/0", "'z@1/0': z has no keys, only attn_scores and pattern have; omit the /");
    refuses("pattern@1/", "in 'pattern@1/': / lacks its keys, as in @-1/0; /: is every key");
    refuses("z#",
            "in 'z#': # lacks its prompts: a number, a slice or a side, as in #0, #1:3, #clean; #: is every prompt");
    refuses("z#clean-up",
            "in 'z#clean-up': 'clean-up' is no name of a prompt: names have letters, digits and _, others "
            "quotes");
    refuses("z@sub[", "in 'z@sub[': 'sub[': what is chosen of sub stands in brackets, as in subject[-1]");
    refuses("z@sub[]", "in 'z@sub[]': 'sub[]': the brackets are empty");
    refuses("z@\"\"", "in 'z@\"\"': \"\" is no name of a position: it lacks its closing quote, or its letters");
    cr_expect(eq(int, weir_selection_parse_stored(&selection, "z@-1#clean,-z:9"), WEIR_OK));
    cr_expect(selection->n == 2 && selection->terms[1].takes_away);
}

static const char *place_message(const char *text, size_t *fault)
{
    struct weir_term *place;
    return weir_place_parse(&place, text, 0, strlen(text), fault) == WEIR_OK ? "parsed" : weir_message();
}

Test(select, a_place_is_one_hook_point_or_the_targets_own)
{
    struct weir_term *place;
    size_t fault = 99;
    cr_assert(eq(int, weir_place_parse(&place, "x[:20@9#0]", 2, 9, &fault), WEIR_OK));
    cr_expect(place->no_hook && place->where.has_layers && !place->where.has_units && place->where.has_prompts);
    cr_expect(eq(sz, place->at, 2));
    weir_place_close(place);
    cr_assert(eq(int, weir_place_parse(&place, "", 0, 0, NULL), WEIR_OK));
    cr_expect(place->no_hook);
    weir_place_close(place);
    cr_assert(eq(int, weir_place_parse(&place, " resid_pre:7 ", 0, 13, NULL), WEIR_OK));
    cr_expect(place->points[WEIR_P_RESID_PRE] && !place->no_hook);
    weir_place_close(place);
    cr_expect(eq(str, (char *)place_message("z*", &fault),
                 "'z*' is no place: it names one hook point, or none for the target's own"));
    cr_expect(eq(str, (char *)place_message("z:1.2@x!", &fault),
                 "in 'z:1.2@x!': 'x!' is no name of a position: names "
                 "have letters, digits and _, others quotes"));
    cr_expect(eq(sz, fault, 6));
}

Test(select, every_failed_allocation_is_reported_and_leaks_nothing)
{
    for (long n = 0;; n++) {
        weir_alloc_fail_after(n);
        weir_status status = weir_selection_parse(&selection, "blocks.3.attn.hook_z,pattern:0+1.2@3+sub[0]/0#a,-*");
        weir_alloc_fail_after(-1);
        if (status == WEIR_OK)
            break;
        cr_assert(eq(int, status, WEIR_E_MEMORY));
        cr_assert(zero(ptr, selection));
    }
}

Test(points, edit_distance_counts_single_changes)
{
    cr_expect(eq(sz, weir_edit_distance("", ""), 0));
    cr_expect(eq(sz, weir_edit_distance("", "abc"), 3));
    cr_expect(eq(sz, weir_edit_distance("pattern", "patern"), 1));
    cr_expect(eq(sz, weir_edit_distance("post", "pots"), 1), "two neighbours swapped are one change");
    cr_expect(eq(sz, weir_edit_distance("kitten", "sitting"), 3));
}

Test(points, every_name_finds_its_point)
{
    int layer;
    for (int i = 0; i < WEIR_N_POINTS; i++) {
        const weir_point *point = weir_point_at(i);
        cr_expect(eq(ptr, (void *)weir_point_find(point->name, &layer), (void *)point), "%s", point->name);
        cr_expect(eq(ptr, (void *)weir_point_find(point->hook, &layer), (void *)point), "%s", point->hook);
    }
}

Test(select, points_layers_and_units_are_written_as_the_grammar_reads_them)
{
    const bool layers[] = {true, false, false, true, true, true, false, true}, all[] = {true, true};
    struct weir_text text = {0}, units = {0};
    cr_assert(eq(int, weir_text_add_term(&text, weir_point_at(WEIR_P_Z), layers, 8), WEIR_OK));
    cr_assert(eq(int, weir_text_add_term(&text, weir_point_at(WEIR_P_PATTERN), all, 2), WEIR_OK));
    cr_assert(eq(int, weir_text_add_term(&text, weir_point_at(WEIR_P_LOGITS), NULL, 0), WEIR_OK));
    cr_expect(eq(str, text.data, "z:0+3:6+7,pattern,logits"));
    cr_expect(eq(str, (char *)marks(&first(text.data)->where.layers, 8), "0 3 4 5 7"));
    cr_assert(eq(int, weir_text_add_unit(&units, 5, 3), WEIR_OK));
    cr_assert(eq(int, weir_text_add_unit(&units, 7, 0), WEIR_OK));
    cr_expect(eq(str, units.data, "5.3+7.0"));
    units.n = 0;
    cr_assert(eq(int, weir_text_add_unit(&units, -1, 3), WEIR_OK));
    cr_expect(eq(str, units.data, ".3"));
    weir_text_close(&text);
    weir_text_close(&units);
}

Test(points, ranges_for_people_join_neighbours_and_end_in_dots)
{
    bool marked[200] = {false};
    char to[64];
    cr_expect(eq(str, (char *)weir_ranges_text(to, NULL, 3), "-"));
    cr_expect(eq(str, (char *)weir_ranges_text(to, marked, 3), "none"));
    marked[0] = marked[1] = marked[2] = marked[7] = true;
    cr_expect(eq(str, (char *)weir_ranges_text(to, marked, 8), "0-2,7"));
    for (int i = 0; i < 200; i += 2)
        marked[i] = true;
    weir_ranges_text(to, marked, 200);
    cr_expect(strlen(to) < 64 && strcmp(to + strlen(to) - 4, ",...") == 0, "%s", to);
}
