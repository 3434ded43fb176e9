/* Numbers as JSON that reads back as they were, and JSON on standard output. */
#include "cli/print/json.h"

#include "base/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The shortest text that reads back as the same number; `digits` are always enough. */
static const char *number_text(char to[32], double value, bool is_float)
{
    if (isnan(value))
        return "null";
    if (isinf(value))
        return value < 0 ? "-1e999" : "1e999";
    for (int digits = is_float ? 6 : 15; digits <= (is_float ? 9 : 17); digits++) {
        snprintf(to, 32, "%.*g", digits, value);
        if (is_float ? strtof(to, NULL) == (float)value : strtod(to, NULL) == value)
            break;
    }
    return to;
}

const char *float_text(char to[32], float value)
{
    return number_text(to, (double)value, true);
}

cJSON *json_number(double value)
{
    char text[32];
    return cJSON_CreateRaw(number_text(text, value, false));
}

cJSON *json_float(float value)
{
    char text[32];
    return cJSON_CreateRaw(number_text(text, (double)value, true));
}

void json_print_float(FILE *to, float value)
{
    char text[32];
    fputs(number_text(text, (double)value, true), to);
}

void json_add_text(const char *text, void *array)
{
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

cJSON *json_marked(const bool *marked, int n)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        if (marked[i])
            cJSON_AddItemToArray(list, cJSON_CreateNumber(i));
    return list;
}

/* JSON of cJSON's on standard output, C1 and bidirectional controls as \uXXXX too: they occur in strings only. */
static void put_json_text(const char *text)
{
    while (*text) {
        const char *from = text;
        bool valid;
        uint32_t code = weir_escape_next(&text, &valid);
        if (!valid)
            fputs("\\ufffd", stdout);
        else if (weir_escape_needed(code))
            printf("\\u%04x", code);
        else
            fwrite(from, 1, (size_t)(text - from), stdout);
    }
}

/* Prints and deletes a value, but for its last `n_left` characters. */
static weir_status print_json_but(cJSON *value, size_t n_left)
{
    char *text = value ? cJSON_PrintUnformatted(value) : NULL;
    cJSON_Delete(value);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the result does not fit");
    text[strlen(text) - n_left] = '\0';
    put_json_text(text);
    cJSON_free(text);
    return WEIR_OK;
}

weir_status json_print_part(cJSON *value)
{
    return print_json_but(value, 0);
}

weir_status json_print_open(cJSON *object)
{
    return print_json_but(object, 1);
}

weir_status json_print(cJSON *value)
{
    TRY(json_print_part(value));
    putchar('\n');
    return WEIR_OK;
}
