/* Grapheme clusters: what a reader takes for one character. */
#ifndef WEIR_TOKEN_CLUSTER_H
#define WEIR_TOKEN_CLUSTER_H

#include "token/unicode.h"

/* The classes of code points that decide; looked up once. */
struct weir_clusters {
    const struct weir_unicode_class *extend, *prepend, *alone, *pictograph;
};

void weir_clusters_open(struct weir_clusters *clusters);
/* Bytes of the cluster at the front of `text`, n > 0 bytes of valid UTF-8. Exact for clusters of less than six bytes,
   which is what a charsmap looks at whole; Indic conjuncts, which are longer, count as the parts that they have. */
size_t weir_cluster_length(const struct weir_clusters *clusters, const char *text, size_t n);

#endif
