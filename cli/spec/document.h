/* A run spec as a document: where the value of each field is; nothing but JSON and the names of fields is checked. */
#ifndef WEIR_CLI_SPEC_DOCUMENT_H
#define WEIR_CLI_SPEC_DOCUMENT_H

#include "cli/args/scan.h"
#include "cli/spec/fields.h"

struct document {
    struct scan scan;
    const char *file; /* for messages; as all else it points into what was given */
    const struct command *command;
    struct span *values; /* [spec_fields] by field; from NULL: it is not there */
};

/* Reads n bytes of text for a command. WEIR_E_INPUT for what is no JSON (line and column), an unknown version, fields
   that the command has not or that are there twice. Close with document_close, after a failure too. */
WEIR_CHECKED weir_status document_read(struct document *out, const char *file, const char *text, size_t n,
                                       const struct command *command);
void document_close(struct document *document);

/* Fails with "FILE: PATH: what". */
__attribute__((format(printf, 3, 4))) weir_status document_fail(const struct document *document, const char *path,
                                                                const char *format, ...);
/* The value of the field of that path; from NULL: it is not there. */
struct span document_value(const struct document *document, const char *path);

#endif
