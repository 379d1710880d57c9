/* lora_tags.h: <lora:NAME:WEIGHT> in a prompt, as web UIs write it: which files of differences a picture is made with.  Also
 * <lora:NAME:TEXT:DENOISER> and te=, unet= in any order; without a number 1. */
#ifndef LIMN_LORA_TAGS_H
#define LIMN_LORA_TAGS_H

#include "base/base.h"

enum { LIMN_LORA_TAG_NAME = 200 };

typedef struct limn_lora_tag {
    char name[LIMN_LORA_TAG_NAME];
    double denoiser, text;
} limn_lora_tag;

/** The next tag from byte *at on, which moves behind it.
 *  @param found  false: there is no more
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: a number that is none, no name, or a name that is a path */
limn_status limn_lora_tag_next(limn_ctx *ctx, const char *prompt, size_t *at, limn_lora_tag *out, bool *found);
/** The prompt without its tags; the caller's (free()); NULL: memory is out. */
char *limn_lora_tags_remove(const char *prompt);

#endif
