/* torch_pickle.h: the part of Python's pickle that torch.save() writes, as a machine that only collects: dicts, lists,
 * tensors. Nothing is imported, called or built that is not in the table of torch_globals.c. */
#ifndef LIMN_TORCH_PICKLE_H
#define LIMN_TORCH_PICKLE_H

#include "file/torch_zip.h"

/* What a value is, and what its n and i say. */
typedef enum limn_pickle_kind {
    LIMN_PICKLE_MARK,
    LIMN_PICKLE_OTHER,    /* None, floats, and what Limn has no use for */
    LIMN_PICKLE_BOOL,     /* i */
    LIMN_PICKLE_INT,      /* i */
    LIMN_PICKLE_STRING,   /* n bytes of UTF-8 from bytes[i] */
    LIMN_PICKLE_TUPLE,    /* n values from tuples[i] */
    LIMN_PICKLE_LIST,     /* containers[i] */
    LIMN_PICKLE_DICT,     /* containers[i]; n: 1 for an object that is its state */
    LIMN_PICKLE_GLOBAL,   /* limn_torch_global() row i */
    LIMN_PICKLE_STORAGE,  /* n: its type; member i of the archive */
    LIMN_PICKLE_TENSOR,   /* tensors[i] */
} limn_pickle_kind;

typedef struct limn_value {
    uint32_t kind : 4, n : 28;
    int64_t i;
} __attribute__((packed, aligned(4))) limn_value; /* 12 bytes: a pickle holds one for every two or three of its own */

typedef struct limn_pickle_item {
    limn_value key, value; /* only containers and tensors are kept: nobody reads the rest */
    uint32_t next;         /* item + 1; 0: the last */
} limn_pickle_item;

typedef struct limn_pickle_container {
    uint32_t first, last;  /* items + 1; 0: none */
    uint32_t n;            /* all that were put in, kept or not */
} limn_pickle_container;

typedef struct limn_pickle_tensor {
    size_t member;         /* of the archive */
    int64_t offset;        /* elements */
    size_t dims;           /* rank sizes from numbers[dims], then rank strides */
    int rank, type;
} limn_pickle_tensor;

/* A storage of a file before torch 1.6, whose pickle comes before the bytes of its storages. */
typedef struct limn_pickle_told {
    limn_value key;
    int64_t numel, first;  /* elements; of a view: the first one's place in root */
    uint32_t root;         /* itself; of a view the storage that it is a part of */
    int type;
} limn_pickle_told;

typedef struct limn_pickle {
    limn_ctx *ctx;
    const char *file;
    const limn_zip *zip;
    const char *root;      /* "archive": folder of every member; NULL: a file before torch 1.6 */
    const unsigned char *bytes; /* data.pkl, or where such a file begins */
    size_t n, at, op;      /* op: where the current opcode lies */
    bool keeps_all;        /* of lists and dicts also what is neither container nor tensor */
    bool ran_out;          /* more bytes were needed than n */
    size_t budget;         /* bytes that may still be allocated */
    size_t n_stack, stack_capacity, n_memo, memo_capacity, n_tuples, tuples_capacity, n_containers, containers_capacity,
        n_items, items_capacity, n_tensors, tensors_capacity, n_numbers, numbers_capacity;
    limn_value *stack, *memo, *tuples;
    limn_pickle_container *containers;
    limn_pickle_item *items;
    limn_pickle_tensor *tensors;
    int64_t *numbers;
    limn_value *storage_seen; /* by member: what the first reference to it said; kind OTHER: none yet */
    limn_pickle_told *told;   /* before torch 1.6, in the place of members */
    uint32_t *told_by_key;    /* by the bytes of their keys */
    size_t n_told, told_capacity, told_by_key_capacity;
} limn_pickle;

/** Run the whole pickle.  p: ctx, file, zip, root, bytes, n and budget are set, the rest is zero.  The sentences end with
 *  "nothing was executed".  @return LIMN_OK: *out is what it makes; LIMN_BAD_FILE; LIMN_NO_MEMORY.  Either way
 *  limn_pickle_free(p) */
limn_status limn_pickle_run(limn_pickle *p, limn_value *out);
/** The same of one of several that follow each other, from byte p->at on, which moves behind it. */
limn_status limn_pickle_next(limn_pickle *p, limn_value *out);
void limn_pickle_free(limn_pickle *p);

limn_status limn_pickle_bad(limn_pickle *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A new, empty dict. */
limn_status limn_pickle_dict(limn_pickle *p, limn_value *out);
/** Room for `more` elements behind n, out of the budget.  list: address of a pointer from malloc() or of NULL. */
limn_status limn_pickle_room(limn_pickle *p, void *list, size_t n, size_t more, size_t *capacity, size_t size);

/* ---- torch_globals.c: the Python objects a state dict names ----------------------------------------------------------- */

typedef struct limn_torch_type {
    const char *storage, *name, *type; /* "FloatStorage", "float32", "F32" as safetensors has it */
    int bytes;
} limn_torch_type;
const limn_torch_type *limn_torch_type_row(int row);

/** The row of "module", "name".  @return -1: it is none that a state dict needs */
int limn_torch_global(const unsigned char *module, size_t n_module, const unsigned char *name, size_t n_name);
/** What calling a known global with a tuple means.  *out is the result. */
limn_status limn_torch_reduce(limn_pickle *p, limn_value function, limn_value arguments, limn_value *out);
/** A persistent id: ("storage", type, key, location, elements), before torch 1.6 with a view behind them. */
limn_status limn_torch_storage(limn_pickle *p, limn_value id, limn_value *out);
/** cls.__new__(): of objects that are dropped only. */
limn_status limn_torch_new(limn_pickle *p, limn_value class, limn_value arguments, limn_value *out);

/* ---- torch_legacy.c: files before torch 1.6 --------------------------------------------------------------------------- */

/** A storage that a persistent id tells of; view: None, or (key, first element, elements). */
limn_status limn_torch_tell(limn_pickle *p, limn_value key, int type, int64_t numel, limn_value view, limn_value *out);

#endif
