/* facts.h: what a run is, fact by fact: a checkpoint holds them, and ranks compare them. */
#ifndef LIMN_FACTS_H
#define LIMN_FACTS_H

#include "train/trainer_parts.h"

/* fixed: the option that made it, which must not change on the way; NULL: told only */
typedef struct limn_run_fact {
    const char *key, *fixed, *value;
} limn_run_fact;

struct limn_run_facts {
    int n, capacity;
    limn_run_fact *fact;
    limn_arena *arena; /* of their values */
    bool failed;       /* out of memory */
    limn_text lines;   /* of the one fact that is a list */
};

#define LIMN_FACT_DATA "limn.data." /* what keys of the data's content begin with; they come last */

/** What a run is; free with limn_facts_free().  NULL when memory is out */
limn_run_facts *limn_facts_of(const limn_trainer *t);
void limn_facts_free(limn_run_facts *facts); /* NULL is allowed */

#endif
