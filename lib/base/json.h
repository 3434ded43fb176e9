/* cJSON with checks: UTF-8, depth, nothing after the end, and getters that name the file and the key. */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/status.h"

#include <cjson/cJSON.h>

/* Parses n bytes; `file` is for messages. Depth over 64, bad UTF-8, \u0000 in a string and anything after the value are
   refused. NaN, Infinity and -Infinity, which Python writes, are allowed where nobody needs a number. Close with
   cJSON_Delete. */
WEIR_CHECKED weir_status weir_json_parse(cJSON **out, const char *file, const char *text, size_t n);
/* Maps, parses and unmaps the file. */
WEIR_CHECKED weir_status weir_json_read(cJSON **out, const char *path);

/* The member `key` of an object, NULL when absent or null. Exact case. */
const cJSON *weir_json_get(const cJSON *object, const char *key);

/* Optional members: when absent, *out keeps its value. Wrong types and values out of range are WEIR_E_INPUT. */
WEIR_CHECKED weir_status weir_json_int(const cJSON *object, const char *file, const char *key, int64_t min, int64_t max,
                                       int64_t *out);
WEIR_CHECKED weir_status weir_json_number(const cJSON *object, const char *file, const char *key, double *out);
WEIR_CHECKED weir_status weir_json_bool(const cJSON *object, const char *file, const char *key, bool *out);
/* *out points into the object. */
WEIR_CHECKED weir_status weir_json_string(const cJSON *object, const char *file, const char *key, const char **out);

#endif
