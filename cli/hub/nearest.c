/* Keeps the names nearest to one that is not there. */
#include "cli/hub/nearest.h"

#include "base/text.h"
#include "points/nearest.h"

#include <string.h>

static const char *without_folders(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

void hub_nearest_add(struct hub_nearest *nearest, const char *sought, const char *name)
{
    size_t distance = weir_edit_distance(without_folders(sought), without_folders(name)), at = nearest->n;
    while (at > 0 && nearest->distances[at - 1] > distance)
        at--;
    if (at == HUB_MOST_NEAREST)
        return;
    nearest->n += nearest->n < HUB_MOST_NEAREST;
    for (size_t i = nearest->n - 1; i > at; i--) {
        nearest->names[i] = nearest->names[i - 1];
        nearest->distances[i] = nearest->distances[i - 1];
    }
    nearest->names[at] = name;
    nearest->distances[at] = distance;
}

void hub_nearest_text(char *text, size_t size, const struct hub_nearest *nearest)
{
    *text = '\0';
    for (size_t i = 0; i < nearest->n; i++)
        weir_text_append(text, size, "%s%s", i ? ", " : "", nearest->names[i]);
    if (nearest->n == 0)
        weir_text_append(text, size, "none");
}
