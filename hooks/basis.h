/* The basis of an edit along some directions: rows of a file, made orthonormal. */
#ifndef WEIR_HOOKS_BASIS_H
#define WEIR_HOOKS_BASIS_H

#include "hooks/change.h"

/* One for all layers, or one for each: of a control vector. */
struct weir_basis {
    double *
        *rows; /* [n_layers] each [rank, width]; n_layers 1: for all sites. NULL: the file has none for that layer */
    size_t n_layers, rank, width;
};

/* Reads the array that is named, [rank, width] or [width]. @return WEIR_E_INPUT for files that cannot be read and rows
   that are not independent or not finite, WEIR_E_USAGE for other shapes. */
WEIR_CHECKED weir_status weir_basis_open(struct weir_basis *out, const struct weir_file_name *file, int n_layers);
void weir_basis_close(struct weir_basis *basis);
/* That of a layer, -1: outside the blocks; NULL: none. */
const double *weir_basis_of(const struct weir_basis *basis, int layer);

#endif
