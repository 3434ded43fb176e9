/* Leaks, so that script/test can prove that the sanitizer build finds leaks though Criterion counts them as passes. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(leak, is_found)
{
    void *volatile lost = malloc(57);
    cr_assert(lost != NULL);
    lost = NULL;
}
