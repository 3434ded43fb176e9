/* Finds the fields of a run spec in its text. */
#include "cli/spec/document.h"

#include "cli/args/near.h"

#include "base/alloc.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_NAME = 64, MOST_SAID = 512 };

weir_status document_fail(const struct document *document, const char *path, const char *format, ...)
{
    char what[MOST_SAID];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return weir_fail(WEIR_E_INPUT, "%s: %s: %s", document->file, path, what);
}

struct span document_value(const struct document *document, const char *path)
{
    size_t n;
    const struct field *fields = spec_fields(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].path, path) == 0)
            return document->values[i];
    return (struct span){NULL, NULL};
}

/* ---- the version ---- */

/* Over the whole document once, so that what is no JSON is reported before what is no field; *version is the value of
   weir_spec, if there is one. */
static weir_status scan_document(struct scan scan, struct span *version)
{
    struct span name;
    bool more = true;
    if (scan_peek(&scan) != '{')
        return scan_fail(&scan, scan.p, "a run spec is a JSON object: {\"weir_spec\": 1, ...}");
    scan.p++;
    if (scan_peek(&scan) == '}') {
        more = false;
        scan.p++;
    }
    while (more) {
        TRY(scan_name(&scan, &name));
        TRY(scan_expect(&scan, ':', "a colon is missing"));
        scan_peek(&scan);
        const char *from = scan.p;
        TRY(scan_value(&scan, 1));
        if (name.to - name.from == sizeof "weir_spec" + 1 &&
            memcmp(name.from, "\"weir_spec\"", sizeof "weir_spec" + 1) == 0)
            *version = (struct span){from, scan.p};
        TRY(scan_next(&scan, '}', &more));
    }
    return scan_peek(&scan) == '\0' && scan.p == scan.end ? WEIR_OK
                                                          : scan_fail(&scan, scan.p, "there is text after the object");
}

/* A spec of another version may have fields of other meanings: this comes before them. */
static weir_status check_version(const struct document *document)
{
    struct span version = {NULL, NULL};
    TRY(scan_document(document->scan, &version));
    if (!version.from)
        return weir_fail(WEIR_E_INPUT, "%s: weir_spec is missing: write \"weir_spec\": %d, the version of the format",
                         document->file, SPEC_VERSION);
    cJSON *number = cJSON_ParseWithLength(version.from, (size_t)(version.to - version.from));
    bool known = cJSON_IsNumber(number) && number->valuedouble == SPEC_VERSION;
    cJSON_Delete(number);
    int shown = version.to - version.from > SHOWN_NAME ? SHOWN_NAME : (int)(version.to - version.from);
    return known ? WEIR_OK
                 : document_fail(document, "weir_spec",
                                 "%.*s is no version of the format that this weir reads, which is %d", shown,
                                 version.from, SPEC_VERSION);
}

/* ---- fields ---- */

/* True for a field of the section, of the document itself where that is NULL. */
static bool is_within(const struct field *field, const struct field *section)
{
    size_t n = section ? strlen(section->path) : 0;
    return section ? strncmp(field->path, section->path, n) == 0 && field->path[n] == '.' : !strchr(field->path, '.');
}

/* Fails: names the fields of the section that are nearest, or the field of another place that has this name. */
static weir_status unknown_field(const struct document *document, const struct field *section, const char *name)
{
    struct near near = {0};
    char path[2 * SHOWN_NAME];
    size_t n;
    const struct field *fields = spec_fields(&n);
    snprintf(path, sizeof path, "%s%s%.*s", section ? section->path : "", section ? "." : "", SHOWN_NAME, name);
    for (size_t i = 0; i < n; i++)
        if (is_within(&fields[i], section) && spec_list_has(fields[i].commands, document->command->name))
            near_add(&near, name, spec_field_name(&fields[i]));
    if (near.n > 0)
        return document_fail(document, path, "there is no such field; the nearest: %s", near_text(&near, ""));
    for (size_t i = 0; i < n; i++)
        if (strcmp(spec_field_name(&fields[i]), name) == 0)
            return document_fail(document, path, "there is no such field here; there is %s", fields[i].path);
    return document_fail(document, path, "there is no such field (docs/run-specs.md lists all)");
}

/* "weir patch", "weir run and weir dump" */
static weir_status field_of_others(const struct document *document, const struct field *field)
{
    char others[64] = "";
    for (size_t i = 0; i < N_SPEC_COMMANDS; i++)
        if (spec_list_has(field->commands, spec_commands[i]))
            weir_text_append(others, sizeof others, "%sweir %s", *others ? " and " : "", spec_commands[i]);
    return document_fail(document, field->path, "weir %s has no such field; it is for %s", document->command->name,
                         others);
}

static weir_status find_spec_field(size_t *out, const struct document *document, const struct field *section,
                                   const char *name)
{
    size_t n;
    const struct field *fields = spec_fields(&n);
    for (*out = 0; *out < n; (*out)++)
        if (is_within(&fields[*out], section) && strcmp(spec_field_name(&fields[*out]), name) == 0)
            break;
    if (*out == n)
        return unknown_field(document, section, name);
    if (document->values[*out].from)
        return document_fail(document, fields[*out].path, "the field is there twice");
    if (!spec_list_has(fields[*out].commands, document->command->name))
        return field_of_others(document, &fields[*out]);
    return WEIR_OK;
}

/* Sections hold no sections, so that the members' values are one or two deep. */
static weir_status take_fields_of(struct document *document, const struct field *section);

static weir_status take_field(struct document *document, const struct field *section)
{
    size_t n, i;
    const struct field *fields = spec_fields(&n);
    struct span name;
    char *text;
    TRY(scan_name(&document->scan, &name));
    TRY(scan_text(&text, &document->scan, name));
    weir_status status = find_spec_field(&i, document, section, text);
    weir_free(text);
    TRY(status);
    TRY(scan_expect(&document->scan, ':', "a colon is missing"));
    scan_peek(&document->scan);
    document->values[i].from = document->scan.p;
    TRY(fields[i].kind == FIELD_SECTION ? take_fields_of(document, &fields[i])
                                        : scan_value(&document->scan, section ? 2 : 1));
    document->values[i].to = document->scan.p;
    return WEIR_OK;
}

static weir_status take_fields_of(struct document *document, const struct field *section)
{
    bool more = true;
    if (scan_peek(&document->scan) != '{')
        return document_fail(document, section ? section->path : "document", "this must be an object of fields");
    document->scan.p++;
    if (scan_peek(&document->scan) == '}') {
        document->scan.p++;
        return WEIR_OK;
    }
    while (more) {
        TRY(take_field(document, section));
        TRY(scan_next(&document->scan, '}', &more));
    }
    return WEIR_OK;
}

weir_status document_read(struct document *out, const char *file, const char *text, size_t n,
                          const struct command *command)
{
    size_t n_fields, mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark is no part */
    spec_fields(&n_fields);
    *out =
        (struct document){.scan = {text + mark, text + mark, text + n, file, true}, .file = file, .command = command};
    TRY(scan_utf8(&out->scan));
    TRY(check_version(out));
    TRY(weir_alloc_zero(&out->values, n_fields, sizeof *out->values));
    return take_fields_of(out, NULL);
}

void document_close(struct document *document)
{
    weir_free(document->values);
    *document = (struct document){0};
}
