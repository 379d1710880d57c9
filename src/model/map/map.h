/* map.h: open weights under the names they were published with.
 *
 * A dialect is a table from our parameter names to the file's: which tensors, and how they become one (rows side by side,
 * halves swapped).  Nothing is copied before every shape was compared. */
#ifndef LIMN_MAP_H
#define LIMN_MAP_H

#include "file/weight_file.h"
#include "file/weight_sets.h"
#include "graph/node.h"
#include "model/model.h"
#include "weights/source.h"

enum { LIMN_MAP_SOURCES = 3 };

typedef enum limn_map_how {
    LIMN_MAP_ROWS,       /* sources under each other along their first dimension; one source: as it is */
    LIMN_MAP_SWAP,       /* first and second half of the rows change places: (scale, shift) <-> (shift, scale) */
    LIMN_MAP_SWAP_LAST,  /* the same in the last block only */
    LIMN_MAP_FIRST_THIRD, LIMN_MAP_SECOND_THIRD, LIMN_MAP_LAST_THIRD, /* of the source's rows: q, k, v; rows of a table in
                                                                        * this order */
    LIMN_MAP_TRANSPOSED, /* [columns, rows] in the file */
    LIMN_MAP_ABSENT,     /* not in the file: a fixed table that is worked out */
} limn_map_how;

/* Names without ".weight" and ".bias"; "*" stands for the number of the block.  A source that ends in "_" has them without
 * the point behind it ("in_proj_" "weight"), one that ends in "$" has none. */
typedef struct limn_map_row {
    const char *name, *source[LIMN_MAP_SOURCES];
    limn_map_how how;
} limn_map_row;

typedef struct limn_dialect limn_dialect;
typedef struct limn_map limn_map;
typedef struct limn_numbers limn_numbers; /* numbers.h */
/* Whose names they are. */
typedef enum limn_naming {
    LIMN_NAMES_ORIGINAL,       /* of the network's own repository, or a whole checkpoint */
    LIMN_NAMES_DIFFUSERS,
    LIMN_NAMES_DIFFUSERS_OLD,  /* before 0.18 */
    LIMN_NAMES_TRANSFORMERS_5, /* as diffusers, text encoders as transformers 5 writes them */
    LIMN_N_NAMINGS
} limn_naming;

struct limn_dialect {
    const char *title;         /* "Stable Diffusion 3 (diffusers)" */
    const limn_family *family;
    void (*numbers)(limn_numbers *q); /* the settings, from shapes and config.json */
    limn_model_part part;      /* of an autoencoder that is published in two files */
    limn_naming naming;
    bool attention_convolves;  /* an autoencoder's attention is convolutions of one pixel: [N,K,1,1] */
    const char *const *anchors; /* ends with NULL: tensors that tell the dialect, all under one prefix */
    const limn_map_row *rows;  /* ends with a NULL name; a parameter without a row has its own name in the file */
    /** NULL, or instead of rows: the name in the file, behind the prefix, of the parameter called `name`. */
    void (*rename)(const limn_map *map, const char *name, char *out, size_t out_bytes);
};

struct limn_map {
    const limn_dialect *dialect;
    limn_settings settings;
    int n_blocks;              /* of LIMN_MAP_SWAP_LAST */
    int stride;                /* numbers_unet.c: blocks are counted through, so many from one level to the next ... */
    bool left_over;            /* ... by a script that has no name for the attention of the first block on the way up */
    limn_model_part part;      /* what of an autoencoder the file holds: some are published in two */
    char prefix[LIMN_PREFIX_BYTES]; /* before every name: "model.diffusion_model." */
};

extern const limn_dialect limn_dialects[]; /* ends with a NULL title */

/**
 * Which published network a file holds, and its settings.  Numbers that no shape tells (attention heads, the size of
 * latents) come from config.json in the file's folder, else from the published rule for its width.
 *
 * @param file  path of st, for messages and for config.json
 * @return LIMN_OK; LIMN_NOT_FOUND: no dialect fits; LIMN_BAD_FILE: one fits, but a tensor is missing or has a strange shape,
 * which is named;
 *         LIMN_UNSUPPORTED: a variant that Limn cannot build.  *out is valid on LIMN_OK only
 * and borrows nothing */
limn_status limn_map_detect(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_map *out);

/** The same where a file holds several networks, as a checkpoint of Stable Diffusion does: of one of these families ("vae
 *  tae"; "clip-text:1280": one whose features are so wide; NULL: of any). */
limn_status limn_map_detect_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                  limn_map *out);
/* Where a search for all networks of a file stands; begins as {0}. */
typedef struct limn_map_place {
    size_t dialect, tensor;
    int n_seen;
    char seen[2 * LIMN_MAX_SETS][LIMN_PREFIX_BYTES]; /* sets of the networks before */
} limn_map_place;
/** The networks of a file in turn, each once, however many sets of its weights there are (file/weight_sets.h).  @return as
 *  limn_map_detect(); with LIMN_BAD_FILE and LIMN_UNSUPPORTED *out has dialect and prefix; LIMN_NOT_FOUND: no more */
limn_status limn_map_detect_next(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_map_place *place,
                                 limn_map *out);
/** The same: one that has this parameter. */
limn_status limn_map_detect_with(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_node *parameter,
                                 limn_map *out);

/**
 * One parameter's values as dtype.  to has room for its elements; NULL: only compare the shapes.
 *
 * @param found  false: the file has no such table (LIMN_MAP_ABSENT), and `to` is unchanged
 * @param type   of the tensors that it is made of; F32 where they differ, or it is worked out.  NULL is allowed
 * @return LIMN_BAD_FILE naming the tensor, the shape expected and the one found
 */
limn_status limn_map_read(limn_ctx *ctx, const limn_map *map, const char *file, const limn_weight_file *st,
                          const limn_node *parameter, limn_dtype dtype, void *to, bool *found, limn_dtype *type);

/** A source of all parameters of one network that a file holds, under our own names or published ones: which, is found with
 *  the first parameter and kept. file: path for messages and for config.json.  st is borrowed: close it after the source.
 *  @return LIMN_OK: free with limn_source_free(); LIMN_NO_MEMORY */
limn_status limn_map_source(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_source **out);
/** What Stable Diffusion's own files call a parameter of its U-Net.  @return false: it is of another network */
bool limn_map_original(const limn_settings *s, const char *name, char *out, size_t out_bytes);
struct limn_lora; /* weights/lora.h */
/** Modules of a LoRA file that are this denoiser's by another program's names get ours.  @return as limn_lora_respell() */
limn_status limn_map_respell(limn_ctx *ctx, const limn_settings *s, struct limn_lora *lora);
/** The weight file of a source: itself, or for a folder model.safetensors, diffusion_pytorch_model.safetensors, or that in
 *  transformer/, unet/ or text_encoder/; beside each, where it is not there, its variants fp16 and bf16, and the .bin files
 *  that torch.save() wrote; of weights in several files their index (NAME.index.json).  out needs 1100 bytes.
 *  @return LIMN_NOT_FOUND naming what was looked for */
limn_status limn_map_file(limn_ctx *ctx, const char *source, char *out);

#endif
