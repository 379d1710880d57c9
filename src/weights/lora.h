/* lora.h: small files that change a network: low-rank differences (LoRA, Hu et al. 2021; for convolutions too: LoCon), their
 * products (LoHa, LoKr: Yeh et al. 2023), whole differences, and magnitudes (DoRA, Liu et al. 2024).
 *
 * A file changes modules: what a parameter's name is without ".weight" or ".bias".  Programs spell modules in many ways; all
 * become one, flat: the path of diffusers with _ for dots ("down_blocks_0_attentions_0_proj_in"), and the network that it is
 * of. */
#ifndef LIMN_LORA_H
#define LIMN_LORA_H

#include "weights/source.h"

typedef enum limn_lora_network {
    LIMN_LORA_DENOISER,
    LIMN_LORA_TEXT, /* the first text encoder */
    LIMN_LORA_TEXT_2,
    LIMN_LORA_TEXT_3,
    LIMN_LORA_ANY, /* the file does not say (PEFT alone) */
} limn_lora_network;

/* Tensors of a module, by what they are. */
typedef enum limn_lora_role {
    LIMN_LORA_UP,
    LIMN_LORA_DOWN,
    LIMN_LORA_MID, /* [o,r], [r,i..], Tucker's [r,r,k,k] */
    LIMN_LORA_ALPHA,
    LIMN_LORA_MAGNITUDE, /* one number; [o,1..] or [1,i,..] */
    LIMN_LORA_HADA_1A,
    LIMN_LORA_HADA_1B,
    LIMN_LORA_HADA_2A,
    LIMN_LORA_HADA_2B,
    LIMN_LORA_HADA_T1,
    LIMN_LORA_HADA_T2,
    LIMN_LORA_KRON_1,
    LIMN_LORA_KRON_1A,
    LIMN_LORA_KRON_1B,
    LIMN_LORA_KRON_2,
    LIMN_LORA_KRON_2A,
    LIMN_LORA_KRON_2B,
    LIMN_LORA_KRON_T2,
    LIMN_LORA_DIFF,
    LIMN_LORA_DIFF_BIAS,
    LIMN_LORA_SET, /* the same shape as weight or bias; SET replaces */
    LIMN_LORA_ROLES,
} limn_lora_role;

enum { LIMN_LORA_NAME = 256 };

typedef struct limn_lora_module {
    limn_lora_network network;
    const char *name;                        /* flat */
    const limn_entry *part[LIMN_LORA_ROLES]; /* NULL: it has none */
    double scale;                            /* alpha / rank, 1 where nothing says */
    int piece, pieces;                       /* which rows of the parameter: piece 1 of 3 is k of q, k, v; pieces 0: all */
    bool swapped;                            /* the second half of those rows is the first in the file */
} limn_lora_module;

/** What a tensor's name says.  flat [LIMN_LORA_NAME].  @return NULL; else a sentence: it is no part of a LoRA that is read
 *  here */
const char *limn_lora_name(const char *tensor, limn_lora_network *network, limn_lora_role *role, char *flat);
/** A parameter's module, flat: without ".weight" or ".bias" (*bias).  @return false: it is of another kind, or too long */
bool limn_lora_flat(const char *parameter, char *flat, bool *bias);

typedef struct limn_lora limn_lora;

/** Open a file, find its modules and their scales: of alpha, of the file's metadata, of adapter_config.json beside it (also
 *  by PEFT's alpha_pattern).
 *  @return LIMN_OK: free with limn_lora_free(); LIMN_BAD_FILE: no LoRA, or one with a tensor that is not read here (named);
 *  LIMN_UNSUPPORTED: an alpha_pattern that is more than the end of a name */
limn_status limn_lora_open(limn_ctx *ctx, const char *path, limn_lora **out);
/** The same over bytes that outlive the result. */
limn_status limn_lora_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_lora **out);
void limn_lora_free(limn_lora *lora); /* NULL is allowed */
/* Two flat names of one module: what another program's files call it, and what it is called here, or of what it is a
 * piece. */
typedef struct limn_lora_spelling {
    char from[LIMN_LORA_NAME], to[LIMN_LORA_NAME];
    int piece, pieces; /* as of a module */
    bool swapped;
} limn_lora_spelling;
/** Modules of a network that files call otherwise get the names that are looked for.
 *  @param spellings  [n], which are sorted here
 *  @return LIMN_BAD_FILE: a module is there under both; LIMN_NO_MEMORY */
limn_status limn_lora_respell(limn_ctx *ctx, limn_lora *lora, limn_lora_network network, size_t n,
                              limn_lora_spelling *spellings);
/** Some modules are those of this network, as is known from elsewhere; numbers of modules change.
 *  @param which  [limn_lora_count()]  @return LIMN_BAD_FILE: one is there under the network's name, too */
limn_status limn_lora_assign(limn_ctx *ctx, limn_lora *lora, limn_lora_network network, const bool *which);
size_t limn_lora_count(const limn_lora *lora);
const limn_lora_module *limn_lora_get(const limn_lora *lora, size_t i);
/** NULL: the file does not change it.  Of one that comes in pieces the first. */
const limn_lora_module *limn_lora_find(const limn_lora *lora, limn_lora_network network, const char *flat);
/** The next piece; NULL: m was the last. */
const limn_lora_module *limn_lora_next(const limn_lora *lora, const limn_lora_module *m);
const char *limn_lora_path(const limn_lora *lora);
const limn_weight_file *limn_lora_tensors(const limn_lora *lora);
void limn_lora_reads(const limn_lora *lora, limn_job_files *files);

/**
 * W + weight (W' - W) in place, W' as the module makes it of W, or of the rows of W that it is for.
 *
 * @param w  the parameter; bias: it is the module's bias
 * @param x  its numbers; NULL: only compare shapes
 * @return LIMN_BAD_FILE naming file, module and both shapes; LIMN_NO_MEMORY; LIMN_IO */
limn_status limn_lora_apply(limn_ctx *ctx, const limn_lora *lora, const limn_lora_module *m, double weight,
                            const limn_wanted *w, bool bias, float *x);

/* What changes a model, in order. */
enum { LIMN_MOST_LORAS = 32 };
typedef struct limn_lora_stack {
    int n;
    struct limn_lora_use {
        limn_lora *lora;
        double denoiser, text; /* weights */
    } use[LIMN_MOST_LORAS];
} limn_lora_stack;

/** A source around another one: what the stack changes is changed while it is read.  base: its own from now on, also on
 *  failure.  The stack is borrowed; it is looked at whenever a tensor is.  Changed weights are kept in 16 bits where the
 *  others are kept in 16 or fewer.
 *  @return LIMN_OK: free with limn_source_free(); LIMN_NO_MEMORY */
limn_status limn_lora_source(limn_ctx *ctx, limn_source *base, limn_lora_network network, const limn_lora_stack *stack,
                             limn_source **out);

#endif
