/* torch.h: a file of torch.save(): a zip with a pickle of names and one member per storage (torch 1.6 and later), or the
 * pickles and storages behind each other (before).  It is read, never executed.  Part of weight_file.h, which opens all
 * kinds. */
#ifndef LIMN_TORCH_H
#define LIMN_TORCH_H

#include "file/weight_file_parts.h"

typedef struct limn_torch limn_torch;

/** What the first bytes of a file say. */
typedef enum limn_file_kind {
    LIMN_KIND_SAFETENSORS,
    LIMN_KIND_TORCH,
    LIMN_KIND_TORCH_LEGACY, /* before torch 1.6 */
    LIMN_KIND_TAR,          /* as torch 0.1.10 and before wrote them */
    LIMN_KIND_PICKLE,
    LIMN_KIND_GGUF
} limn_file_kind;
enum { LIMN_KIND_BYTES = 262 }; /* that tell, of a file that has as many */
limn_file_kind limn_file_kind_of(const unsigned char *head, size_t n);

/** Read the directory and the pickle of the newest part into entries; the tensors of nested dicts have the names of all
 *  keys, joined by dots ("state_dict.conv.weight").  part->torch is set also on failure. */
limn_status limn_torch_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part);
/** The same of a file before torch 1.6. */
limn_status limn_torch_read_legacy(limn_ctx *ctx, limn_weight_file *st, limn_part *part);
void limn_torch_free(limn_torch *torch); /* NULL is allowed */
/** As limn_weight_file_load(); the storage is compared with its checksum when it is first needed. */
limn_status limn_torch_load(limn_ctx *ctx, const limn_part *part, const limn_entry *e, size_t first, size_t n, void *to,
                            limn_dtype dtype);
/** Compare every member with its checksum.  *known becomes false where there are none: before torch 1.6. */
limn_status limn_torch_check(limn_ctx *ctx, const limn_part *part, bool *known);

#endif
