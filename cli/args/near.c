/* The names nearest to a misspelt one, within a distance that grows with its length. */
#include "cli/args/near.h"

#include "base/text.h"
#include "points/nearest.h"

#include <string.h>

enum { LETTERS_A_CHANGE = 3, LEAST_BEGINNING = 3 };

static bool is_beginning(const char *given, const char *name)
{
    size_t n = strlen(given);
    return n >= LEAST_BEGINNING && strncmp(given, name, n) == 0;
}

void near_add(struct near *near, const char *given, const char *name)
{
    size_t longest = strlen(given) > strlen(name) ? strlen(given) : strlen(name);
    size_t distance = is_beginning(given, name) ? 1 : weir_edit_distance(given, name);
    if (distance > (longest + 1) / LETTERS_A_CHANGE || (near->n > 0 && distance > near->distance))
        return;
    if (near->n > 0 && distance < near->distance)
        near->n = 0;
    near->distance = distance;
    if (near->n < MOST_NEAR)
        near->names[near->n++] = name;
}

const char *near_text(struct near *near, const char *before)
{
    near->text[0] = '\0';
    for (size_t i = 0; i < near->n; i++)
        weir_text_append(near->text, sizeof near->text, "%s%s%s", i ? " or " : "", before, near->names[i]);
    return near->text;
}
