/* Sizes in bytes as people read them. */
#include "base/sizes.h"

#include <stdio.h>

const char *weir_size_text(char to[16], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double n = (double)bytes / 1000;
    size_t unit = 0;
    for (; n >= 999.5 && unit < 5; unit++)
        n /= 1000;
    if (bytes < 1000)
        snprintf(to, 16, "%d B", (int)bytes);
    else
        snprintf(to, 16, n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return to;
}
