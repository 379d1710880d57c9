/* weight_sets.h: the state dicts of one network that a file holds beside each other, and taking one of them.
 * A checkpoint of a training has the weights as they are trained and a moving average of them (EMA), from which pictures
 * are drawn:
 *   model. ema.    state_dict. state_dict_ema.    params. params_ema.    model. model_ema. (Lightning)    "" ema/
 *   (Limn's) */
#ifndef LIMN_WEIGHT_SETS_H
#define LIMN_WEIGHT_SETS_H

#include "file/weight_file.h"

enum { LIMN_MAX_SETS = 16, LIMN_PREFIX_BYTES = 160 };

typedef enum limn_set_kind {
    LIMN_SET_RAW,   /* as trained; also where no word says what it is */
    LIMN_SET_ONLINE, /* the same once more, inside an EMA that keeps what it averages */
    LIMN_SET_EMA,
    LIMN_SET_STATE, /* an optimizer's moments: never weights */
} limn_set_kind;

typedef struct limn_weight_set {
    char prefix[LIMN_PREFIX_BYTES]; /* before every name; ends with '.' or '/', or is "" */
    char inside[LIMN_PREFIX_BYTES]; /* glued: what the names begin with behind the prefix */
    bool glued; /* dots of the names are left out, as CompVis's LitEma does: model_ema.diffusion_modelout2bias */
    limn_set_kind kind;
    size_t n;                       /* tensors of the network that it has */
} limn_weight_set;

/** What the words of a prefix say: "ema.", "net_ema." "ema_model.": EMA; "adam_m/": STATE. */
limn_set_kind limn_set_kind_of(const char *prefix);

/** Where a name of a network stands: the prefixes under which it is in the file, those of raw weights first, each ending at
 *  '.', '/' or the name's begin.  @return how many, at most LIMN_MAX_SETS */
int limn_weight_prefixes(const limn_weight_file *st, const char *name, char out[LIMN_MAX_SETS][LIMN_PREFIX_BYTES]);

/** The tensor called prefix + name; NULL: there is none. */
const limn_entry *limn_weight_file_find_under(const limn_weight_file *st, const char *prefix, const char *name);

/** The set behind `prefix`, out[0], and the others with the same names and shapes: all of its tensors, or fewer where a word
 *  calls them EMA.
 *  @return how many; at least 1; -1: memory is out */
int limn_weight_sets(const limn_weight_file *st, const char *prefix, limn_weight_set out[LIMN_MAX_SETS]);

/** Tensors of an EMA that has no names, as torch_ema and diffusers keep it: ema.shadow_params.0, 1 ..  first: one of them,
 *  or NULL.  @return how many */
size_t limn_weight_nameless(const limn_weight_file *st, const char **first);

/** One set of a file, under its network's names: base is the set that has all of them, set the one whose values are wanted
 *  (base itself, too).  Tensors that set lacks are those of base.  prefix() tells sentences where the set was.  whole: it
 *  may be closed before *out.  @return LIMN_OK: close *out; LIMN_NO_MEMORY */
limn_status limn_weight_file_take(limn_ctx *ctx, limn_weight_file *whole, int n, const limn_weight_set *sets, int set,
                                  limn_weight_file **out);
/** Prefix of the set that was taken, "" without one. */
const char *limn_weight_file_prefix(const limn_weight_file *st);
/** A tensor whose name is nearest to one that is not there: what both end with, in whole words between dots, is longest.
 *  NULL: none has two words, or all that there are, in common. */
const limn_entry *limn_weight_file_near(const limn_weight_file *st, const char *name);

#endif
