/* numbers.h: the settings of a published network from the shapes of its tensors and its config.json. */
#ifndef LIMN_NUMBERS_H
#define LIMN_NUMBERS_H

#include "model/config.h"
#include "model/map/map.h"

#include <jansson.h>

struct limn_numbers {
    limn_ctx *ctx;
    const char *file;
    const limn_weight_file *st;
    limn_map *map;
    json_t *config;       /* NULL: there is none */
    limn_status status;   /* of the first failure; later calls do nothing */
};

enum { LIMN_NUMBERS_NAME = 512 };
/** What the file calls a parameter, prefix and all: of several tensors that hold it the first; where the dialect has no
 *  other name for it, its own.  @return out */
const char *limn_numbers_name(const limn_numbers *q, const char *name, char out[LIMN_NUMBERS_NAME]);
/** The tensor that the file calls so.  NULL: there is none. */
const limn_entry *limn_numbers_find(const limn_numbers *q, const char *name);
/** Dimension k of a tensor of this rank; 0 and a failure when it is not there. */
int64_t limn_numbers_dim(limn_numbers *q, const char *name, int rank, int k);
/** A field of the network's settings, of which limn_numbers_config() is the struct: a whole number, flag or choice; a real;
 * a list. */
void limn_numbers_set(limn_numbers *q, const void *field, int64_t value);
void limn_numbers_set_real(limn_numbers *q, const double *field, double value);
void limn_numbers_set_list(limn_numbers *q, const int *field, int n, const int *values);
const void *limn_numbers_config(const limn_numbers *q);
/** Blocks 0, 1, ... that have the tensor before%dafter. */
int64_t limn_numbers_depth(const limn_numbers *q, const char *before, const char *after);
/** A whole number of config.json, or otherwise when it has none. */
int64_t limn_numbers_whole(const limn_numbers *q, const char *key, int64_t otherwise);
/** A number of config.json that may be no whole one. */
double limn_numbers_real(const limn_numbers *q, const char *key, double otherwise);
/** What config.json says, if it says it, and the tensors show: they may not differ. */
void limn_numbers_must_agree(limn_numbers *q, const char *key, int64_t shown);
/** The number of attention heads, which must divide width. */
void limn_numbers_heads(limn_numbers *q, const int *field, int64_t heads, int64_t width);
/** The side of a square of n; 0: it is none. */
int64_t limn_numbers_root(int64_t n);

/* What the first and the last layer of a transformer tell. */
typedef struct limn_patches {
    int64_t width, side;
    bool doubled; /* the variance comes with the prediction */
} limn_patches;
/** @param field  where width, channels and patch go  @return {0} on a failure */
limn_patches limn_numbers_patches(limn_numbers *q, bool may_double, const int *field[3]);

void limn_numbers_of_dit(limn_numbers *q);
void limn_numbers_of_pixart(limn_numbers *q);
void limn_numbers_of_sd3(limn_numbers *q);
void limn_numbers_of_clip(limn_numbers *q);
void limn_numbers_of_open_clip(limn_numbers *q);
void limn_numbers_of_t5(limn_numbers *q);
void limn_numbers_of_tae(limn_numbers *q);
void limn_numbers_of_vae(limn_numbers *q);
void limn_numbers_of_ddpm(limn_numbers *q);
void limn_numbers_of_ddpm_mnist(limn_numbers *q);
void limn_numbers_of_ldm(limn_numbers *q);
/** adm, uvit. */
void limn_numbers_of_adm(limn_numbers *q);
void limn_numbers_of_uvit(limn_numbers *q);
/** unet: for a class of every pixel. */
void limn_numbers_of_segmenter(limn_numbers *q);

/* limn_dialect.rename */
void limn_rename_clip(const limn_map *map, const char *name, char *out, size_t out_bytes);
void limn_rename_tae(const limn_map *map, const char *name, char *out, size_t out_bytes);
void limn_rename_vae(const limn_map *map, const char *name, char *out, size_t out_bytes);
void limn_rename_unet(const limn_map *map, const char *name, char *out, size_t out_bytes);
void limn_rename_ddpm_old(const limn_map *map, const char *name, char *out, size_t out_bytes);

#endif
