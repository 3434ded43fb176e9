/* The values of fields as options. */
#ifndef WEIR_CLI_SPEC_VALUES_H
#define WEIR_CLI_SPEC_VALUES_H

#include "cli/spec/document.h"
#include "cli/spec/spec.h"

/* Appends to `spec` the options that the fields of the document stand for; `folder` is where its files are. */
WEIR_CHECKED weir_status values_read(struct spec *spec, const struct document *document, const char *folder,
                                     const struct args *args);

#endif
