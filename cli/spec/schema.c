/* Writes the JSON Schema of run specs, and their fields as a table, from the table of fields and the option tables. */
#include "cli/spec/fields.h"
#include "cli/spec/spec.h"

#include "base/text.h"

#include <cjson/cJSON.h>
#include <string.h>

enum { MOST_PIECE = 512 };

/* What the kinds of values share; a pair has the sides clean and corrupt unless others are named. */
static const char definitions[] =
    "{\"text\": {\"type\": \"string\", \"minLength\": 1},"
    "\"texts\": {\"anyOf\": [{\"$ref\": \"#/$defs/text\"},"
    " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/text\"}}]},"
    "\"side\": {\"type\": \"string\", \"pattern\": \"^(?!base(=|$))[A-Za-z_][A-Za-z0-9_]*(=[\\\\s\\\\S]+)?$\"},"
    "\"ids\": {\"type\": \"array\", \"items\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 2147483647}},"
    "\"edit\": {\"anyOf\": [{\"$ref\": \"#/$defs/text\"}, {\"type\": \"object\","
    " \"required\": [\"select\", \"op\", \"value\"], \"additionalProperties\": false, \"properties\":"
    " {\"select\": {\"$ref\": \"#/$defs/text\"}, \"op\": {\"enum\": [\"=\", \"+=\", \"-=\", \"*=\", \"<=\", \">=\"]},"
    " \"value\": {\"type\": [\"string\", \"number\"], \"minLength\": 1}, \"along\": {\"$ref\": \"#/$defs/text\"}, "
    "\"keeping\": {\"const\": "
    "\"norm\"}}}]},"
    "\"line\": {\"type\": \"object\", \"properties\": {\"prompt\": {\"type\": [\"string\", \"null\"]},"
    " \"ids\": {\"anyOf\": [{\"$ref\": \"#/$defs/ids\"}, {\"type\": \"null\"}]}}, \"anyOf\": ["
    "{\"required\": [\"prompt\"], \"properties\": {\"prompt\": {\"type\": \"string\"}}},"
    " {\"required\": [\"text\"], \"properties\": {\"text\": {\"type\": \"string\"}}},"
    " {\"required\": [\"ids\"], \"properties\": {\"ids\": {\"type\": \"array\"}, \"text\": {\"type\": \"null\"}}},"
    " {\"required\": [\"tokens\"], \"properties\": {\"tokens\": {\"$ref\": \"#/$defs/ids\"}, \"text\": {\"type\": "
    "\"null\"}}}]},"
    "\"prompt\": {\"anyOf\": [{\"type\": \"string\"}, {\"allOf\": [{\"$ref\": \"#/$defs/ids\"}, {\"minItems\": 1}]},"
    " {\"$ref\": \"#/$defs/line\"}]},"
    "\"sided\": {\"type\": \"object\", \"properties\": {\"side\": false, \"line\": false}},"
    "\"pair\": {\"allOf\": [{\"$ref\": \"#/$defs/sided\"}, {\"required\": [\"clean\", \"corrupt\"], \"properties\":"
    " {\"clean\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": \"#/$defs/ids\"}]},"
    " \"corrupt\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": \"#/$defs/ids\"}]}}}]}}";

/* What a document cannot have together; which objects are prompts. */
static const char rules[] =
    "[{\"not\": {\"anyOf\": [{\"required\": [\"prompts\", \"pairs\"]}, {\"required\": [\"prompts\", \"pair_files\"]},"
    " {\"required\": [\"prompt_files\", \"pairs\"]}, {\"required\": [\"prompt_files\", \"pair_files\"]}]}},"
    "{\"if\": {\"required\": [\"sides\"]},"
    " \"then\": {\"properties\": {\"prompts\": {\"anyOf\": [{\"$ref\": \"#/$defs/sided\"},"
    " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/sided\"}}]},"
    " \"pairs\": {\"anyOf\": [{\"$ref\": \"#/$defs/sided\"},"
    " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/sided\"}}]}}},"
    " \"else\": {\"properties\": {\"prompts\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": \"#/$defs/line\"},"
    " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/prompt\"}}]},"
    " \"pairs\": {\"anyOf\": [{\"$ref\": \"#/$defs/pair\"},"
    " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/pair\"}}]}}}},"
    "{\"anyOf\": [{\"$ref\": \"#/$defs/run\"}, {\"$ref\": \"#/$defs/dump\"}, {\"$ref\": \"#/$defs/patch\"}]}]";

/* ---- the commands ---- */

static const struct command *spec_command(const struct command *const *commands, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* The option of the first command that has the field; NULL: it stands for none. */
static const struct opt *option_of_field(const struct field *field, const struct command *const *commands, size_t n)
{
    for (size_t i = 0; i < N_SPEC_COMMANDS; i++) {
        const struct command *command = spec_command(commands, n, spec_commands[i]);
        int option = command && spec_list_has(field->commands, command->name) ? spec_option(field, command) : -1;
        if (option >= 0)
            return &command->opts[option];
    }
    return NULL;
}

/* ---- the schema ---- */

static void add_choices(cJSON *to, const char *choices)
{
    cJSON *list = cJSON_AddArrayToObject(to, "enum");
    for (const char *p = choices; *p; p += *p == '|') {
        char word[64] = "";
        size_t n = strcspn(p, "|");
        weir_text_append(word, sizeof word, "%.*s", (int)n, p);
        cJSON_AddItemToArray(list, cJSON_CreateString(word));
        p += n;
    }
}

/* The values of a kind, as far as it alone says; those of prompts and pairs are in the rules. */
static cJSON *schema_of_kind(enum field_kind kind)
{
    static const char *const texts[] = {
        [FIELD_NOTE] = "{\"type\": \"string\"}",
        [FIELD_VERSION] = "{\"const\": 1}",
        [FIELD_SECTION] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {}}",
        [FIELD_FLAG] = "{\"type\": \"boolean\"}",
        [FIELD_WHOLE] = "{\"type\": \"integer\"}",
        [FIELD_CHOICE] = "{}",
        [FIELD_TEXT] = "{\"$ref\": \"#/$defs/text\"}",
        [FIELD_RANGE] = ("{\"anyOf\": [{\"$ref\": \"#/$defs/text\"},"
                         " {\"type\": \"integer\", \"minimum\": -2147483647, \"maximum\": 2147483647}]}"),
        [FIELD_LIST] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_SELECTION] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_PATH] = "{\"$ref\": \"#/$defs/text\"}",
        [FIELD_MODEL] = "{\"$ref\": \"#/$defs/text\"}",
        [FIELD_SIDES] = ("{\"anyOf\": [{\"$ref\": \"#/$defs/side\"},"
                         " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/side\"}}]}"),
        [FIELD_PATHS] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_PLUGINS] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_ABLATIONS] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_EDITS] = ("{\"anyOf\": [{\"$ref\": \"#/$defs/edit\"},"
                         " {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/edit\"}}]}"),
        [FIELD_METRICS] = "{\"$ref\": \"#/$defs/texts\"}",
        [FIELD_PROMPTS] = "{}",
        [FIELD_PAIRS] = "{}",
    };
    return cJSON_Parse(texts[kind]);
}

static cJSON *schema_of_field(const struct field *field, const struct opt *opt)
{
    cJSON *schema = schema_of_kind(field->kind);
    cJSON_AddStringToObject(schema, "description", field->help);
    if (field->kind == FIELD_CHOICE)
        add_choices(schema, opt->value);
    if (field->kind == FIELD_WHOLE) {
        cJSON_AddNumberToObject(schema, "minimum", (double)opt->least);
        cJSON_AddNumberToObject(schema, "maximum", (double)opt->most);
    }
    return schema;
}

/* The properties among which a field's is: the document's, or its section's. */
static cJSON *properties_of(cJSON *properties, const struct field *field)
{
    char section[64] = "";
    size_t n = strcspn(field->path, ".");
    if (!field->path[n])
        return properties;
    weir_text_append(section, sizeof section, "%.*s", (int)n, field->path);
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(properties, section), "properties");
}

/* What a command refuses: the fields of others. */
static cJSON *schema_of_command(const char *name)
{
    size_t n;
    const struct field *fields = spec_fields(&n);
    cJSON *schema = cJSON_CreateObject(), *properties = cJSON_AddObjectToObject(schema, "properties");
    for (size_t i = 0; i < n; i++) {
        bool has = spec_list_has(fields[i].commands, name);
        cJSON *to = properties_of(properties, &fields[i]);
        if (has && fields[i].kind == FIELD_SECTION)
            cJSON_AddObjectToObject(cJSON_AddObjectToObject(to, fields[i].path), "properties");
        else if (!has && to) /* NULL in a section that the command has not */
            cJSON_AddFalseToObject(to, spec_field_name(&fields[i]));
    }
    return schema;
}

weir_status spec_schema(FILE *to, const struct command *const *commands, size_t n)
{
    size_t n_fields;
    const struct field *fields = spec_fields(&n_fields);
    cJSON *schema = cJSON_CreateObject(), *defs = cJSON_Parse(definitions);
    cJSON_AddStringToObject(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    cJSON_AddStringToObject(schema, "title", "A run spec: what weir run, weir dump and weir patch do, as a document");
    cJSON_AddStringToObject(schema, "type", "object");
    cJSON_AddItemToObject(schema, "required", cJSON_Parse("[\"weir_spec\"]"));
    cJSON_AddFalseToObject(schema, "additionalProperties");
    cJSON *properties = cJSON_AddObjectToObject(schema, "properties");
    for (size_t i = 0; i < n_fields; i++)
        cJSON_AddItemToObject(properties_of(properties, &fields[i]), spec_field_name(&fields[i]),
                              schema_of_field(&fields[i], option_of_field(&fields[i], commands, n)));
    cJSON_AddItemToObject(schema, "allOf", cJSON_Parse(rules));
    for (size_t i = 0; i < N_SPEC_COMMANDS; i++)
        cJSON_AddItemToObject(defs, spec_commands[i], schema_of_command(spec_commands[i]));
    cJSON_AddItemToObject(schema, "$defs", defs);
    char *text = cJSON_Print(schema);
    cJSON_Delete(schema);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    fprintf(to, "%s\n", text);
    cJSON_free(text);
    return WEIR_OK;
}

/* ---- the table ---- */

static const char *kind_words(const struct field *field)
{
    static const char *const words[] = {
        [FIELD_NOTE] = "text",
        [FIELD_VERSION] = "1",
        [FIELD_SECTION] = "object",
        [FIELD_FLAG] = "true or false",
        [FIELD_WHOLE] = "whole number",
        [FIELD_TEXT] = "text",
        [FIELD_RANGE] = "text or whole number",
        [FIELD_LIST] = "text, or list of texts",
        [FIELD_SELECTION] = "text, or list of texts",
        [FIELD_PATH] = "file",
        [FIELD_MODEL] = "file, folder or name",
        [FIELD_SIDES] = "text, or list of texts",
        [FIELD_PATHS] = "file, or list of files",
        [FIELD_PLUGINS] = "text, or list of texts",
        [FIELD_ABLATIONS] = "text, or list of texts",
        [FIELD_EDITS] = "edit, or list of edits",
        [FIELD_METRICS] = "text, or list of texts",
        [FIELD_PROMPTS] = "prompt, or list of prompts",
        [FIELD_PAIRS] = "object, or list of objects",
    };
    return words[field->kind];
}

/* Choices as texts of JSON. */
static void markdown_kind(FILE *to, const struct field *field, const struct opt *opt)
{
    if (field->kind != FIELD_CHOICE) {
        fputs(kind_words(field), to);
        return;
    }
    fputs("`\"", to);
    for (const char *p = opt->value; *p; p++)
        fprintf(to, *p == '|' ? "\"`, `\"" : "%c", *p);
    fputs("\"`", to);
}

/* All that the field stands for in some command. */
static void markdown_options(FILE *to, const struct field *field, const struct command *const *commands, size_t n)
{
    const char *between = "";
    char name[32];
    for (const char *p = field->options; p && *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        bool found = false;
        snprintf(name, sizeof name, "%.*s", (int)length, p);
        for (size_t i = 0; i < N_SPEC_COMMANDS; i++) {
            const struct command *command = spec_command(commands, n, spec_commands[i]);
            found = found ||
                    (command && spec_list_has(field->commands, command->name) && spec_option_named(command, name) >= 0);
        }
        if (found)
            fprintf(to, "%s`--%s`", between, name);
        between = found ? ", " : between;
        p += length;
    }
}

void spec_markdown(FILE *to, const struct command *const *commands, size_t n)
{
    size_t n_fields;
    const struct field *fields = spec_fields(&n_fields);
    fputs("| field | value | of weir | options | |\n|---|---|---|---|---|\n", to);
    for (size_t i = 0; i < n_fields; i++) {
        fprintf(to, "| `%s` | ", fields[i].path);
        markdown_kind(to, &fields[i], option_of_field(&fields[i], commands, n));
        fprintf(to, " | %s | ", fields[i].commands);
        markdown_options(to, &fields[i], commands, n);
        fprintf(to, " | %s |\n", fields[i].help);
    }
}
