/* Run specs: the options of a run in a JSON document, as docs/run-specs.md describes it. */
#ifndef WEIR_CLI_SPEC_SPEC_H
#define WEIR_CLI_SPEC_SPEC_H

#include "cli/args/args.h"

#include <stdio.h>

/* What a document says, as options. All zero is empty. */
struct spec {
    struct given *given; /* [n] in the order of the table of fields */
    size_t n, capacity;
    char **texts; /* [n_texts] that `given` points to */
    size_t n_texts, text_capacity;
};

/* Reads the document in n bytes of text. `file` is its name, for messages, and the beginning of the files that it
   names; what `args` was given says which sides pairs have. WEIR_E_INPUT names the path in the document. Close with
   spec_close, after a failure too. */
WEIR_CHECKED weir_status spec_read(struct spec *out, const char *file, const char *text, size_t n,
                                   const struct args *args);
/* Reads the spec that is the only word of a command line of a command that takes one, "-" for standard input, and puts
   its options in front of those given. `args` borrows from *out. */
WEIR_CHECKED weir_status spec_take(struct spec *out, struct args *args);
void spec_close(struct spec *spec);

/* The JSON Schema of specs for these commands (all of weir's), and the table of fields as Markdown. */
WEIR_CHECKED weir_status spec_schema(FILE *to, const struct command *const *commands, size_t n);
void spec_markdown(FILE *to, const struct command *const *commands, size_t n);

#endif
