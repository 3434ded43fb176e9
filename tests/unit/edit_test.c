#include "base/alloc.h"
#include "points/edit.h"
#include "points/reading.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

static weir_edit *edit;

static void close_edit(void)
{
    weir_edit_close(edit);
    edit = NULL;
}

TestSuite(edit, .fini = close_edit);

static const weir_edit *parse(const char *text)
{
    close_edit();
    weir_status status = weir_edit_parse(&edit, text);
    cr_assert(eq(int, status, WEIR_OK), "%s: %s", text, weir_message());
    return edit;
}

/* Interventions of published papers, and what the grammar's documents show. */
static const char *const lines[] = {
    "embed@subject#corrupt += noise(0.3, 1)",
    "resid_post:6@subject[-1]#corrupt = [#base]",
    "z#sent = [#clean]",
    "z:9.9#sent = [#corrupt]",
    "q:10.0#out = [#sent]",
    "q_input:10.0#clean -= [result:9.9]",
    "q_input:10.0#clean += [result:9.9#corrupt]",
    "attn_scores:10:20@-1/subject = -inf",
    "resid_pre:6@1:4#0 += 5 * [#1]",
    "resid_pre:6@1:4#0 -= 5 * [#2]",
    "resid_post:13@-1: += 1.5 * caa.gguf",
    "resid_pre,attn_out,mlp_out = 0 along refusal.npy",
    "resid_pre:14 += refusal.npy",
    "resid_post:2@-1#1 = src.h5[:20@9#0]",
    "resid_post:9@-1 += mean(icl.h5[result:6.1@-1#:])",
    "pattern:5.1@ind = 0",
    "z:5.3 = mean(ref.h5[@:#:])",
    "z:5.3 = mean(ref.h5[#:])",
    "z:5.3 = resample(ref.h5[#:], 7)",
    "z:5.3 = ref.h5[#donor]",
    "z,-z:9.9@-1,-z:7.3@s2 = mean(ref.h5[#:])",
    "resid_pre:4@7#corrupt = [#clean] along das.npz:R",
    "mlp_post:4.100 = 0",
    "mlp_post:4.100 <= 5",
    "pattern@1:/0 *= 0.5",
    "attn_scores@1:/0 = -inf",
    "ln1_scale,ln2_scale,ln_final_scale = [#base]",
    "pattern = [#base]",
    "q:9.6#corrupt = [#clean]",
    "k_input:5.h1#corrupt -= [result:1.4]",
    "k_input:5.h1#corrupt += [result:1.4#clean]",
    "resid_post:7 = [resid_pre:7]",
    "resid_post:-1 = [resid_post:6]",
    "embed@7#0 = [@1#1]",
    "resid_post:8:20@new += 1.5 * happy.gguf",
    "resid_post:8@new[0:10] += 4 * love.npy",
    "resid_post:8@new[10:20] += 2 * love.npy",
    "resid_post:12 += 4 * love.npy keeping norm",
    "resid_post:12 >= 3 along love.npy",
    "resid_pre:4@-1#1::2 = [#0::2]",
    "resid_pre:4@-1#corrupt = [#clean]",
    "resid_pre:4@cpos#corrupt = [@dpos#clean]",
    "z:5.3#0 = mean([#1:9])",
    "v:5.h7@3 = 0",
    "k:5@3 = [#clean]",
    "rot_k:5@3 = [#clean]",
    "router:5,-router:5.7 = -inf",
    "v:5@3 = 0",
    "attn_scores@new/3 = -inf",
    "z:5.3 = 0",
    "resid_pre:4@cpos#corrupt = [@dpos#clean] along das.npz:R",
    "k_input:5.h1 -= [result:1.4]",
    "k_input:5.h1 += [result:1.4#corrupt]",
    "resid_post:8@new[0:10] += 4 * love.npy keeping norm",
    "pattern,ln*_scale = [#base]",
};

Test(edit, published_interventions_parse_and_are_written_back_as_they_are)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct weir_text text = {0};
        parse(lines[i]);
        cr_assert(eq(int, weir_edit_to_text(&text, edit), WEIR_OK));
        cr_expect(eq(str, text.data, (char *)lines[i]));
        cr_expect(eq(str, edit->text, (char *)lines[i]));
        weir_text_close(&text);
    }
}

Test(edit, json_says_the_same_and_is_read_back_as_the_same)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct weir_text json = {0}, again = {0}, text = {0};
        cr_assert(eq(int, weir_edit_to_json(&json, parse(lines[i])), WEIR_OK));
        parse(json.data);
        cr_assert(eq(int, weir_edit_to_json(&again, edit), WEIR_OK));
        cr_assert(eq(int, weir_edit_to_text(&text, edit), WEIR_OK));
        cr_expect(eq(str, again.data, json.data));
        cr_expect(eq(str, text.data, (char *)lines[i]));
        cr_expect(eq(str, edit->text, (char *)lines[i]), "the text of an edit from JSON is made of its members");
        cr_expect(
            eq(sz, edit->value.at,
               (size_t)(strstr(edit->text, weir_op_text(edit->op)) - edit->text) + strlen(weir_op_text(edit->op)) + 1));
        weir_text_close(&json);
        weir_text_close(&again);
        weir_text_close(&text);
    }
}

Test(edit, operators_are_told_apart)
{
    static const struct {
        const char *text;
        enum weir_edit_op op;
    } rows[] = {{"z = 1", WEIR_OP_SET},     {"z=1", WEIR_OP_SET},         {"z += 1", WEIR_OP_ADD},
                {"z+=1", WEIR_OP_ADD},      {"z -= 1", WEIR_OP_SUBTRACT}, {"z:2:-=1", WEIR_OP_SUBTRACT},
                {"z *= 1", WEIR_OP_SCALE},  {"z *=1", WEIR_OP_SCALE},     {"z <= 1", WEIR_OP_AT_MOST},
                {"z>=1", WEIR_OP_AT_LEAST}, {"resid_* = 1", WEIR_OP_SET}, {"z@'a=b' -= 1", WEIR_OP_SUBTRACT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect(eq(int, parse(rows[i].text)->op, rows[i].op), "%s", rows[i].text);
    cr_expect(eq(int, parse("z:2:-=1")->select->terms[0].where.layers.list[0].start, 2));
    cr_expect(not(parse("z:2:-=1")->select->terms[0].where.layers.list[0].has_stop));
}

Test(edit, sources_are_kept_as_they_were_written)
{
    const struct weir_value *value = &parse("z = -0.25e1")->value;
    cr_expect(value->kind == WEIR_VALUE_NUMBER && value->number == -2.5 && value->at == 4);
    value = &parse("router:1 = -inf")->value;
    cr_expect(value->kind == WEIR_VALUE_NUMBER && isinf(value->number) && value->number < 0);
    value = &parse("z += -1.5*'my vectors/a b.npz':\"the name\"")->value;
    cr_expect(value->kind == WEIR_VALUE_FILE && value->factor == -1.5);
    cr_expect(eq(str, value->file.path, "my vectors/a b.npz"));
    cr_expect(eq(str, value->file.name, "the name"));
    cr_expect(eq(sz, value->file.at, 10));
    value = &parse("z = 2 * src.h5[resid_pre:3@subject[-1]+1#clean]")->value;
    cr_expect(value->kind == WEIR_VALUE_PLACE && value->factor == 2);
    cr_expect(value->place->points[WEIR_P_RESID_PRE] && value->place->where.positions.n == 2);
    cr_expect(eq(sz, value->place->at, 15));
    value = &parse("z = []")->value;
    cr_expect(value->kind == WEIR_VALUE_PLACE && value->place->no_hook && !value->file.path);
    value = &parse("z = 0.5 * mean([@:])")->value;
    cr_expect(value->kind == WEIR_VALUE_MEAN && value->factor == 0.5 && value->of->factor == 1);
    cr_expect(value->of->kind == WEIR_VALUE_PLACE && value->of->place->where.has_positions);
    value = &parse("z = resample( ref.h5[#:] , 18446744073709551615 )")->value;
    cr_expect(value->kind == WEIR_VALUE_RESAMPLE && value->seed == UINT64_MAX);
    value = &parse("embed += 3 * noise(0.3, 1)")->value;
    cr_expect(value->kind == WEIR_VALUE_NOISE && value->number == 0.3 && value->seed == 1 && value->factor == 3);
    value = &parse("z = 3.npy")->value;
    cr_expect(value->kind == WEIR_VALUE_FILE, "a file may begin with a digit");
    cr_expect(parse("z = 'mean'")->value.kind == WEIR_VALUE_FILE, "quotes make a file of any name");
    cr_expect(parse("z = noise.npy")->value.kind == WEIR_VALUE_FILE);
}

Test(edit, along_and_keeping_norm_stand_in_any_order)
{
    cr_expect(parse("z = 0 keeping norm along b.npy:R")->keeps_norm);
    cr_expect(eq(str, edit->along.path, "b.npy"));
    cr_expect(eq(str, edit->along.name, "R"));
    cr_expect(eq(sz, edit->along.at, 25));
}

Test(edit, names_that_need_quotes_get_them_back)
{
    static const char *const texts[] = {"z = \"1.5\"",    "z = \"love\"",      "z = \"a b.npy\":\"x y\"",
                                        "z = 'a\"b.npy'", "z = \"a'b.npy\":c", "z = \"-inf\"",
                                        "z = nan.npy",    "z = inf/a.npy",     "z = infinity-1.npy:R"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct weir_text text = {0};
        cr_assert(eq(int, weir_edit_to_text(&text, parse(texts[i])), WEIR_OK));
        cr_expect(eq(str, text.data, (char *)texts[i]));
        weir_text_close(&text);
    }
}

Test(edit, numbers_are_written_so_that_they_are_read_back_as_the_same)
{
    static const double numbers[] = {0,       -0.0,      0.1, 1e-300, 1e300, 5e-324, 1.7976931348623157e308,
                                     1.0 / 3, 123456789, 1e22};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct weir_text text = {0};
        cr_assert(eq(int, weir_text_print(&text, "z = "), WEIR_OK));
        cr_assert(eq(int, weir_number_text(&text, numbers[i]), WEIR_OK));
        cr_expect(eq(dbl, parse(text.data)->value.number, numbers[i]), "%s", text.data);
        weir_text_close(&text);
    }
}

/* The message begins with where, "character 5", and goes on with what. */
static void refuses(const char *text, const char *where, const char *what)
{
    close_edit();
    weir_status status = weir_edit_parse(&edit, text);
    cr_expect(eq(int, status, *text == '{' && strstr(what, "JSON") ? WEIR_E_INPUT : WEIR_E_USAGE), "%s", text);
    cr_expect(zero(ptr, edit));
    cr_expect(strncmp(weir_message(), where, strlen(where)) == 0, "%s: %s, not %s", text, weir_message(), where);
    cr_expect(strstr(weir_message(), what) != NULL, "%s: %s", text, weir_message());
}

Test(edit, errors_point_at_the_character)
{
    static const struct {
        const char *text, *where, *what;
    } rows[] = {
        {"resid_*=0", "character 7: ", "'resid_*=' reads two ways: write a space, 're"},
        {"resid_pre:*=0.5", "character 11: ", "'resid_pre:*=' reads two ways: write a space,"},
        {"*=0", "character 1: ", "'*=' reads two ways: write a space, '* =' to "},
        {"z", "character 2: ", "an operator is missing: =, +=, -=, *=, <= or "},
        {"= 3", "character 1: ", "in front of the operator the selection is mis"},
        {"z:5.3 =", "character 8: ", "behind the operator a value is missing: a num"},
        {"z:5.3 = nan", "character 9: ", "nan is no value: write a finite number, or -i"},
        {"z:5.3 = inf", "character 9: ", "inf is no value: write a finite number, or -i"},
        {"z:5.3 = -inf", "character 9: ", "-inf is for attn_scores and router; 'z:5.3' t"},
        {"attn_scores += -inf", "character 16: ", "-inf can only be set, by ="},
        {"z = mean([])", "character 10: ", "mean goes over the axes that its place writes"},
        {"z = mean(ref.npy)", "character 10: ", "mean goes over the axes that its place writes"},
        {"z = mean(ref.h5[result])", "character 10: ", "mean goes over the axes that its place writes"},
        {"z = resample(ref.h5[#:])", "character 24: ", "')' stands where a , is missing: a seed follo"},
        {"z = resample(ref.h5[#:], x)", "character 26: ", "a seed is missing: a whole number, as in nois"},
        {"z = noise(0.3)", "character 14: ", "')' stands where a , is missing: a seed follo"},
        {"z = noise(-1, 2)", "character 11: ", "noise takes its standard deviation, a number "},
        {"z = noise(a, 2)", "character 11: ", "noise takes its standard deviation, a number "},
        {"z = mean(mean(ref.h5[#:]))", "character 10: ", "mean takes a place, as in mean(ref.h5[#:]), a"},
        {"z = men(ref.h5[#:])", "character 5: ", "'men' is not known here; the nearest: mean(.."},
        {"z = meen", "character 5: ", "'meen' is not known here; the nearest: mean(."},
        {"z = zero", "character 5: ", "'zero' is neither a number nor a file, which "},
        {"z = love", "character 5: ", "'love' is neither a number nor a file, which "},
        {"z = 3 4", "character 7: ", "'4' is too much: behind the value only 'along"},
        {"z = 5 * 3", "character 9: ", "a factor stands in front of a file, a place o"},
        {"z = 5 *", "character 8: ", "a file is missing"},
        {"z = - love.npy", "character 5: ", "a - stands in front of numbers only: write -1"},
        {"z = ~/love.npy", "character 5: ", "'~/love.npy': no shell replaces ~ here: write"},
        {"z = 'love.npy", "character 5: ", "the quote ' is not closed"},
        {"z = ''", "character 5: ", "the file between the quotes is empty"},
        {"z = love.npy:", "character 14: ", "behind the : the name of a tensor is missing,"},
        {"z = das.npz:R[#0]", "character 14: ", "das.npz:R is a tensor, which has no places: b"},
        {"z = ref.h5#3", "character 11: ", "positions and prompts of a file stand in brac"},
        {"z = ref.h5[#3", "character 11: ", "the bracket [ is not closed"},
        {"z = [zz:3]", "character 6: ", "no hook point is called 'zz'; the nearest: z"},
        {"z = [z:3@x!]", "character 10: ", "in 'z:3@x!': 'x!' is no name of a position: n"},
        {"zz:3 = 0", "character 1: ", "no hook point is called 'zz'; the nearest: z"},
        {"z,q:x = 0", "character 5: ", "in 'q:x': 'x' is not a layer: write a number "},
        {"z,,q = 0", "character 3: ", "one side of a comma in the selection is empty"},
        {"z = 0 alog x.npy", "character 7: ", "'alog' is not known here; the nearest: along"},
        {"z = 0 along", "character 12: ", "a file is missing"},
        {"z = 0 along x.npy along y.npy", "character 19: ", "along stands here twice"},
        {"z = 0 keeping nor", "character 15: ", "'nor' stands where a norm is missing: keeping"},
        {"z = 0 keeping norm keeping norm", "character 20: ", "keeping norm stands here twice"},
        {"z == 3", "character 4: ", "'=' is no file: files have a . or a /, or quo"},
        {"z = 1e999", "character 5: ", "'1e999' is not a number that a double has"},
        {"z = 3x", "character 5: ", "'3x' is no file: files have a . or a /, or qu"},
        {"z:5.9 = [#clean] ]", "character 18: ", "']' is too much: behind the value only 'along"},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": 0, \"along\": \"x.npy:a b\", \"keeping\": \"norm\"}",
         "along: character 9: ", "'b' is too much"},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": \"mean([])\"}",
         "value: character 6: ", "mean goes over the axes that its place writes"},
        {"{\"select\": \"z\", \"op\": \"==\", \"value\": 3}", "op: character 1: ", "none of =, +=, -=, *=, <= and >="},
        {"{\"select\": \"z\", \"op\": \"=\", \"valu\": 3}", "an", "an edit has no member \"valu\"; the nearest: va"},
        {"{\"select\": \"zz\", \"op\": \"=\", \"value\": 3}",
         "select: character 1: ", "no hook point is called 'zz'; the nearest: z"},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": \"4 along x.npy\"}",
         "value: character 3: ", "'along x.npy' is too much"},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": null}", "value:", "value: not a text or a finite number"},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": 1, \"value\": 2}", "the", "the edit has two members \"value\""},
        {"{\"select\": \"z\", \"op\": \"=\", \"value\": 1e999}", "value:", "value: not a text or a finite number"},
        {"{\"select\": \"z\", \"op\": \"=\"}", "the", "the edit lacks its member \"value\""},
        {"{\"select\": \"z\" \"op\": \"=\"}", "the", "the edit: byte 15: not valid JSON"},
        {"z = 1.5.5", "character 5: ", "'1.5.5' is no number"},
        {"z = .5", "character 5: ", "'.5' is no number"},
        {"z = +5", "character 5: ", "'+5' is no file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses(rows[i].text, rows[i].where, rows[i].what);
}

Test(edit, characters_are_counted_and_not_bytes)
{
    refuses("z@\u00e9\u00e9 = x", "character 8: ", "'x' is neither");
    refuses("z@\u00e9\u00e9#\u4e2d = mean([])", "character 15: ", "mean goes over");
}

Test(edit, lists_that_are_paired_rise)
{
    refuses("z:1.1+3@0 = [z:0.2+0]", "character 13: ", "heads or neurons");
    refuses("z:1.3+1 = v.npy", "character 11: ", "heads or neurons");
    refuses("z:3+1 = [z:0+1]", "character 9: ", "layers");
    refuses("z#0+2 = [#2+1]", "character 9: ", "prompts");
    refuses("pattern:1@3/0+2 = [/3+1]", "character 19: ", "keys");
    refuses("z:1.-1+0 = v.npy", "character 12: ", "heads or neurons");
    parse("z:1.1+3@5+1 = [z:0.0+2@2+1]");
    parse("z:1.3+1 = 0");
    parse("z:1.3+1 = [#0]");
    parse("z:1.0+-1 = v.npy");
}

Test(edit, hostile_text_is_refused)
{
    enum { LONG = 1 << 16 };
    static char text[LONG];
    static const char starts[] = "z[('\"#@/,-*1e.=";
    for (const char *c = starts; *c; c++) {
        memset(text, *c, sizeof text - 1);
        cr_expect(eq(int, weir_edit_parse(&edit, text), WEIR_E_USAGE), "%c", *c);
        for (size_t i = 0; i < strlen("z = "); i++)
            text[i] = "z = "[i];
        cr_expect(eq(int, weir_edit_parse(&edit, text), WEIR_E_USAGE), "z = %c", *c);
    }
    refuses("z = 'a\xff.npy'", "character 7: ", "not UTF-8");
    cr_expect(eq(int, weir_edit_parse(&edit, NULL), WEIR_E_USAGE));
    cr_expect(eq(int, weir_edit_parse(NULL, "z = 0"), WEIR_E_USAGE));
}

static void fail_every_allocation(const char *text)
{
    for (long n = 0;; n++) {
        struct weir_text json = {0};
        weir_alloc_fail_after(n);
        weir_status status = weir_edit_parse(&edit, text);
        if (status == WEIR_OK)
            status = weir_edit_to_json(&json, edit);
        weir_alloc_fail_after(-1);
        weir_text_close(&json);
        close_edit();
        if (status == WEIR_OK)
            return;
        cr_assert(eq(int, status, WEIR_E_MEMORY), "%s, %ld: %s", text, n, weir_message());
    }
}

Test(edit, every_failed_allocation_is_reported_and_leaks_nothing)
{
    fail_every_allocation("z:1.2@sub[-1]#a,-q = 2 * resample(ref.h5[:3@x#:], 7) along das.npz:R keeping norm");
    fail_every_allocation(
        "{\"select\": \"z\", \"op\": \"+=\", \"value\": \"2 * 'a.npy':b\", \"along\": \"das.npz:R\"}");
}
