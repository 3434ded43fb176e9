/* JSON on standard output: numbers that read back as they were. */
#ifndef WEIR_CLI_PRINT_JSON_H
#define WEIR_CLI_PRINT_JSON_H

#include "base/json.h"

#include <stdio.h>

/* null for NaN; infinities as 1e999, which readers take for what they are. */
cJSON *json_number(double value);
cJSON *json_float(float value);
/* The same as text: few digits that read back as the same float. */
const char *float_text(char to[32], float value);
void json_print_float(FILE *to, float value);
/* Appends a text to the array that is the payload: a callback. */
void json_add_text(const char *text, void *array);
/* The indices that are marked, of n. */
cJSON *json_marked(const bool *marked, int n);
/* Prints and deletes. WEIR_E_MEMORY for NULL. */
WEIR_CHECKED weir_status json_print(cJSON *value);
/* The same without the end of the line: for answers that are written piece by piece. */
WEIR_CHECKED weir_status json_print_part(cJSON *value);
/* Prints and deletes an object up to its closing brace, which the caller prints after what it adds. */
WEIR_CHECKED weir_status json_print_open(cJSON *object);

#endif
