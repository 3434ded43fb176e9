/* Any bytes as an edit: what is parsed is written as text and as JSON that give the same edit again. */
#include "base/alloc.h"
#include "points/edit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(struct weir_text *text, struct weir_text *json, const weir_edit *edit)
{
    if (weir_edit_to_text(text, edit) != WEIR_OK || weir_edit_to_json(json, edit) != WEIR_OK)
        __builtin_trap();
}

static void parse_again(const char *text, const struct weir_text *first, const struct weir_text *first_json)
{
    struct weir_text again = {0}, json = {0};
    weir_edit *edit = NULL;
    if (weir_edit_parse(&edit, text) != WEIR_OK)
        __builtin_trap();
    write_back(&again, &json, edit);
    if (strcmp(again.data, first->data) != 0 || strcmp(json.data, first_json->data) != 0)
        __builtin_trap();
    weir_edit_close(edit);
    weir_text_close(&again);
    weir_text_close(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_text written = {0}, json = {0};
    weir_edit *edit = NULL;
    char *text;
    if (weir_copy_bytes(&text, (const char *)data, size) != WEIR_OK)
        return 0;
    if (weir_edit_parse(&edit, text) == WEIR_OK) {
        write_back(&written, &json, edit);
        parse_again(written.data, &written, &json);
        parse_again(json.data, &written, &json);
    }
    weir_edit_close(edit);
    weir_text_close(&written);
    weir_text_close(&json);
    weir_free(text);
    return 0;
}
