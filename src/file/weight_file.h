/* weight_file.h: named tensors in a file: safetensors (u64 length | JSON header | bytes, every rule of the format is
 * enforced), GGUF (gguf.h), or what torch.save() wrote (.pt, .pth, .ckpt, .bin; see torch.h).  What a file is, its first
 * bytes say, never its name.  Nothing in it is executed.  Writing: safetensors.h. */
#ifndef LIMN_WEIGHT_FILE_H
#define LIMN_WEIGHT_FILE_H

#include "file/job_files.h"
#include "tensor/tensor.h"

enum { LIMN_FILE_RANK = 8 };

typedef struct limn_entry {
    const char *name;       /* any UTF-8 without NUL: escape it before it is shown, never use it as a path */
    const char *type;       /* as in the file: "F32", "I8" ... */
    int64_t dim[LIMN_FILE_RANK];
    size_t begin, bytes;    /* in the data part of its file (torch: first element in the whole file); when dense */
    const struct limn_torch_place *torch; /* NULL: a safetensors file, whose rows are dense */
    float scale;            /* of 8-bit floats whose numbers are to be multiplied by a tensor of one; 0: there is none */
    int16_t part;           /* which file of several */
    int8_t rank;
    limn_dtype dtype : 7;
    bool usable : 1; /* dtype is one Limn knows; others are listed only */
} limn_entry;

size_t limn_entry_count(const limn_entry *e); /* elements */
/** In which its numbers can be kept as they are: its own, or f32 where they have a scale. */
limn_dtype limn_entry_type(const limn_entry *e);

typedef struct limn_weight_file limn_weight_file;

/* How names of such files end, in the order in which one is looked for; the last is NULL. */
extern const char *const limn_weight_endings[];
/** Bytes of a name before one of them, capitals or not; of others all. */
size_t limn_weight_stem(const char *name);

/** Open and check a file, or all files of an index ("model.safetensors.index.json").  Only headers are read; memory is at
 *  most four times theirs.  @return LIMN_OK: close with limn_weight_file_close(); LIMN_NOT_FOUND; LIMN_BAD_FILE with tensor
 *  and offset */
limn_status limn_weight_file_open(limn_ctx *ctx, const char *path, limn_weight_file **out);
/** The same over bytes that outlive the result. */
limn_status limn_weight_file_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n,
                                   limn_weight_file **out);
void limn_weight_file_close(limn_weight_file *st); /* NULL is allowed */

/** All its files, an index aside, are read, and what they are to the job. */
void limn_weight_file_reads(const limn_weight_file *st, const char *what, limn_job_files *files);
/** The path of file i of them; NULL: there are fewer. */
const char *limn_weight_file_path(const limn_weight_file *st, int i);
size_t limn_weight_file_count(const limn_weight_file *st);
const limn_entry *limn_weight_file_get(const limn_weight_file *st,
                                       size_t i);              /* by file and offset; torch: in the order of its dicts */
const char *limn_weight_file_kind(const limn_weight_file *st); /* "safetensors", "torch" or "gguf" (of the first file) */
const limn_entry *limn_weight_file_find(const limn_weight_file *st, const char *name);
/** Metadata by key (of the first file), or NULL. */
const char *limn_weight_file_metadata(const limn_weight_file *st, const char *key);
/** All metadata in turn, by key: at NULL gives the first pair.  @return what to pass for the next one; NULL: there was
 *  none */
const void *limn_weight_file_metadata_next(const limn_weight_file *st, const void *at, const char **key, const char **value);

/** All values of a usable tensor, converted, in dense rows; no other copy of them is made on the way, except of torch's
 *  that are not dense.  @return LIMN_OK; LIMN_BAD_FILE when the file was cut meanwhile
 *  or is damaged; LIMN_UNSUPPORTED (dtype); LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_weight_file_load(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, void *to,
                                  limn_dtype dtype);
/** The same of elements first .. first + n - 1 of those dense rows, which it has: whole blocks of its type. */
limn_status limn_weight_file_load_part(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, size_t first,
                                       size_t n, void *to, limn_dtype dtype);
/** Compare every byte with the checksum in "limn.crc32", which limn_safetensors_write() leaves; torch's archives carry one
 *  per member, its files before 1.6 none.
 *  @param known  false when a file carries no checksum: then nothing was compared
 *  @return LIMN_OK; LIMN_BAD_FILE when a byte has changed; LIMN_IO */
limn_status limn_weight_file_check(limn_ctx *ctx, const limn_weight_file *st, bool *known);

#endif
