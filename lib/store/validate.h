/* Checks a file against the layout (docs/store.md, schemas/). */
#ifndef WEIR_STORE_VALIDATE_H
#define WEIR_STORE_VALIDATE_H

#include "base/status.h"

#include "base/json.h"

/* WEIR_OK when the file could be examined, whatever was found; *n_findings counts. WEIR_E_INPUT when it cannot be
 * opened. */
WEIR_CHECKED weir_status weir_store_validate(const char *path, size_t *n_findings, weir_finding_fn *report,
                                             void *payload);

/* Describes any HDF5 file without its data, in the terms of schemas/store.schema.json: attributes, groups, and
   datasets with their shape, type, dimension names, attached scales, storage and attributes. Close with cJSON_Delete.
 */
WEIR_CHECKED weir_status weir_store_describe(cJSON **out, const char *path);

#endif
