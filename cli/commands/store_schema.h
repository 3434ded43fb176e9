/* The JSON Schema of stored files, which a build step puts into the binary (schemas/embed.py). */
#ifndef WEIR_CLI_COMMANDS_STORE_SCHEMA_H
#define WEIR_CLI_COMMANDS_STORE_SCHEMA_H

#include <stddef.h>

extern const char store_schema[]; /* [store_schema_size] */
extern const size_t store_schema_size;

#endif
