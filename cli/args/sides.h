/* Sides of pairs: which members of a line of JSON are prompts, and what each is called. */
#ifndef WEIR_CLI_ARGS_SIDES_H
#define WEIR_CLI_ARGS_SIDES_H

#include "cli/args/args.h"

struct side {
    char *name;  /* "clean": letters, digits and _, as #clean is written */
    char *field; /* the member that is its prompt */
};

/* Each line of JSON gives one prompt per side; n 0: a line is one prompt. All zero is empty. */
struct sides {
    struct side *list; /* [n] */
    size_t n, capacity;
};

/* Adds "NAME" or "NAME=FIELD". WEIR_E_USAGE, naming --side, for a name that cannot be written behind # or is there
   already. */
WEIR_CHECKED weir_status sides_add(struct sides *sides, const char *text);
/* Adds every value of an option, in order. */
WEIR_CHECKED weir_status sides_take(struct sides *sides, const struct args *args, int opt);
void sides_close(struct sides *sides);

#endif
