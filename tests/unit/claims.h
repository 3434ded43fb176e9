/* One claim about many models as a test for each: one that fails hides no other. */
#ifndef WEIR_TESTS_CLAIMS_H
#define WEIR_TESTS_CLAIMS_H

#define CLAIM_OF(suite, claim, model)                                                                                  \
    Test(suite, claim##_##model)                                                                                       \
    {                                                                                                                  \
        claim(#model);                                                                                                 \
    }
/* Begins the function of the claim. LIST(X, suite, claim) is X(suite, claim, MODEL) for each of the models. */
#define EACH_OF(LIST, suite, claim)                                                                                    \
    static void claim(const char *name);                                                                               \
    LIST(CLAIM_OF, suite, claim)                                                                                       \
    static void claim(const char *name)

#endif
