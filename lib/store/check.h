/* A file being validated: its description, and the findings so far. */
#ifndef WEIR_STORE_CHECK_H
#define WEIR_STORE_CHECK_H

#include "base/json.h"
#include "store/layout.h"

struct weir_check {
    weir_finding_fn *report;
    void *payload;
    size_t n;
    const cJSON *root; /* of the description */
    struct weir_sizes sizes;
};

/* Reports "OBJECT: ..." and counts it. */
__attribute__((format(printf, 3, 4))) void weir_check_finding(struct weir_check *c, const char *object,
                                                              const char *format, ...);
/* In the description: an attribute of an object, the same as text, a dataset by its path; NULL where there is none. */
const cJSON *weir_check_attribute(const cJSON *object, int attr);
const char *weir_check_text(const cJSON *object, int attr);
const cJSON *weir_check_dataset(const struct weir_check *c, const char *path);

/* check_edits.c: the text of the attribute edits, once the sizes are known. */
void weir_check_edits(struct weir_check *c, const char *text);
/* check_values.c: prompts, and values of some prompts, through the reader. */
WEIR_CHECKED weir_status weir_check_content(struct weir_check *c, const char *path);

#endif
