/* loras.h: the files of differences that a pipeline is changed by: those it was given, and those that a prompt names. */
#ifndef LIMN_PIPELINE_LORAS_H
#define LIMN_PIPELINE_LORAS_H

#include "pipeline/pipeline.h"
#include "text/lora_tags.h"
#include "weights/lora.h"

struct limn_loras {
    limn_lora_stack stack; /* given, then named */
    int n_given, n_named;
    limn_lora_tag named[LIMN_MOST_LORAS]; /* tags of the last prompt, which the rest is of */
};

/** Of a pipeline that is being opened: nothing is changed yet.  @return NULL: memory is out */
struct limn_loras *limn_loras_new(void);
void limn_loras_free(struct limn_loras *loras); /* NULL is allowed */

/** Be changed by what the prompt of these options names, and no longer by what an earlier one named.
 *  @return as limn_pipeline_set_loras() */
limn_status limn_loras_of_prompt(limn_pipeline *p, const limn_generate_options *o);

#endif
