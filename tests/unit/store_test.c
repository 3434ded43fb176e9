#include <criterion/criterion.h>
#include "store_fake.h"
Test(store, writes) { cr_assert(1); }
