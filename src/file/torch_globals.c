/* torch_globals.c: the Python objects that a state dict names, and what calling them means here: a dict, a tensor, or
 * nothing. torch/_utils.py and torch/_weights_only_unpickler.py say what they mean there. */
#include "file/torch_pickle.h"

#include <string.h>

enum { NUMEL_OVER_STORAGE = 200, FREE_BYTES = 16 << 20 };

static const limn_torch_type types[] = {
    {"FloatStorage", "float32", "F32", 4},
    {"DoubleStorage", "float64", "F64", 8},
    {"HalfStorage", "float16", "F16", 2},
    {"BFloat16Storage", "bfloat16", "BF16", 2},
    {"LongStorage", "int64", "I64", 8},
    {"IntStorage", "int32", "I32", 4},
    {"ShortStorage", "int16", "I16", 2},
    {"CharStorage", "int8", "I8", 1},
    {"ByteStorage", "uint8", "U8", 1},
    {"BoolStorage", "bool", "BOOL", 1},
    {"ComplexFloatStorage", "complex64", "C64", 8},
    {"ComplexDoubleStorage", "complex128", "C128", 16},
    {NULL, "uint16", "U16", 2},
    {NULL, "uint32", "U32", 4},
    {NULL, "uint64", "U64", 8},
    {NULL, "float8_e4m3fn", "F8_E4M3", 1},
    {NULL, "float8_e5m2", "F8_E5M2", 1},
    {NULL, "float8_e4m3fnuz", "F8_E4M3FNUZ", 1},
    {NULL, "float8_e5m2fnuz", "F8_E5M2FNUZ", 1},
    {NULL, "float8_e8m0fnu", "F8_E8M0", 1},
    {"UntypedStorage", NULL, "U8", 1},
};
enum { N_TYPES = sizeof types / sizeof *types, UNTYPED = N_TYPES - 1 };

typedef enum meaning {
    ORDERED_DICT, TENSOR, TENSOR_V2, TENSOR_V3, PARAMETER, PARAMETER_WITH_STATE, PARAMETER_DICT, SIZE, DROPPED
} meaning;

/* DROPPED: what checkpoints hold beside tensors; nothing of it is kept. */
static const struct { const char *module, *name; meaning meaning;
} globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor", TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", TENSOR_V2},
    {"torch._utils", "_rebuild_tensor_v3", TENSOR_V3},
    {"torch._utils", "_rebuild_parameter", PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", PARAMETER_WITH_STATE},
    {"torch.nn.modules.container", "ParameterDict", PARAMETER_DICT}, /* of embeddings: what it is, its state is */
    {"torch", "Size", SIZE},
    {"torch", "device", DROPPED},
    {"torch.serialization", "_get_layout", DROPPED},
    {"collections", "Counter", DROPPED},
    {"_codecs", "encode", DROPPED},
    {"__builtin__", "set", DROPPED},
    {"__builtin__", "bytearray", DROPPED},
    {"__builtin__", "complex", DROPPED},
    {"builtins", "set", DROPPED},
    {"builtins", "bytearray", DROPPED},
    {"builtins", "complex", DROPPED},
    {"argparse", "Namespace", DROPPED},
    {"numpy", "dtype", DROPPED},
    {"numpy.core.multiarray", "scalar", DROPPED},
    {"numpy._core.multiarray", "scalar", DROPPED},
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

const limn_torch_type *limn_torch_type_row(int row)
{
    return &types[row];
}

static bool equal(const unsigned char *bytes, size_t n, const char *text)
{
    return text && strlen(text) == n && memcmp(bytes, text, n) == 0;
}

/* Rows: globals, then the storages of the types, then their dtypes. */
int limn_torch_global(const unsigned char *module, size_t n_module, const unsigned char *name, size_t n_name)
{
    for (int i = 0; i < N_GLOBALS; i++)
        if (equal(module, n_module, globals[i].module) && equal(name, n_name, globals[i].name)) return i;
    bool torch = equal(module, n_module, "torch"), storage = torch || equal(module, n_module, "torch.storage");
    for (int i = 0; i < N_TYPES; i++) {
        if (storage && equal(name, n_name, types[i].storage)) return N_GLOBALS + i;
        if (torch && equal(name, n_name, types[i].name)) return N_GLOBALS + N_TYPES + i;
    }
    return -1;
}

/* ---- storages --------------------------------------------------------------------------------------------------------- */

static bool is_string(const limn_pickle *p, limn_value v, const char *text)
{
    return v.kind == LIMN_PICKLE_STRING && equal(p->bytes + v.i, v.n, text);
}

static limn_status find_member(limn_pickle *p, limn_value key, limn_zip_member **out)
{
    char path[512], shown[256];
    const char *text = (const char *)p->bytes + key.i;
    bool plain = key.n > 0 && key.n < 128 && !memchr(text, '/', key.n) && !memchr(text, 0, key.n);
    int n = plain ? snprintf(path, sizeof path, "%s/data/%.*s", p->root, (int)key.n, text) : -1;
    *out = n > 0 && n < (int)sizeof path ? limn_zip_find(p->zip, path) : NULL;
    if (*out) return LIMN_OK;
    return limn_pickle_bad(p, plain ? "there is no storage \"%s\" in the archive" : "\"%s\" is no plain name of a storage",
                           limn_escape(text, key.n, shown, sizeof shown));
}

/* All references to a storage tell the same type and length, and these make the bytes that the archive holds. */
static limn_status check_storage(limn_pickle *p, limn_zip_member *m, int type, int64_t numel, limn_value *out)
{
    size_t i = (size_t)(m - p->zip->members), bytes;
    char name[256];
    if (!p->storage_seen) {
        size_t none = 0;
        limn_status status = limn_pickle_room(p, &p->storage_seen, 0, p->zip->n, &none, sizeof *p->storage_seen);
        if (status != LIMN_OK) return status;
        memset(p->storage_seen, 0, p->zip->n * sizeof *p->storage_seen);
    }
    limn_escape(m->name, strlen(m->name), name, sizeof name);
    limn_value *seen = &p->storage_seen[i];
    if (seen->kind == LIMN_PICKLE_STORAGE && (seen->n != (uint32_t)type || seen->i != numel))
        return limn_pickle_bad(p, "storage %s is %s of %lld elements here, and %s of %lld elsewhere", name,
                               types[type].storage, (long long)numel, types[seen->n].storage, (long long)seen->i);
    if (numel < 0 || !limn_mul_size((size_t)numel, (size_t)types[type].bytes, &bytes) || bytes != m->size)
        return limn_pickle_bad(p, "storage %s of %lld elements of %d bytes, the archive holds %zu bytes of it", name,
                               (long long)numel, types[type].bytes, m->size);
    *seen = (limn_value){.kind = LIMN_PICKLE_STORAGE, .n = (uint32_t)type, .i = numel};
    *out = (limn_value){.kind = LIMN_PICKLE_STORAGE, .n = (uint32_t)type, .i = (int64_t)i};
    return LIMN_OK;
}

limn_status limn_torch_storage(limn_pickle *p, limn_value id, limn_value *out)
{
    const limn_value *v = id.kind == LIMN_PICKLE_TUPLE && id.n == (p->root ? 5 : 6) ? p->tuples + id.i : NULL;
    if (!v || !is_string(p, v[0], "storage") || v[1].kind != LIMN_PICKLE_GLOBAL || v[1].i < N_GLOBALS ||
        v[1].i >= N_GLOBALS + N_TYPES || v[2].kind != LIMN_PICKLE_STRING || v[3].kind != LIMN_PICKLE_STRING ||
        v[4].kind != LIMN_PICKLE_INT)
        return limn_pickle_bad(p, "a persistent id other than (\"storage\", type, key, location, elements%s)",
                               p->root ? "" : ", view");
    limn_zip_member *m = NULL;
    int type = (int)(v[1].i - N_GLOBALS);
    int64_t numel = v[4].i;
    if (!p->root) return limn_torch_tell(p, v[2], type, numel, v[5], out);
    limn_status status = find_member(p, v[2], &m);
    return status == LIMN_OK ? check_storage(p, m, type, numel, out) : status;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------------- */

/* Sizes and strides behind each other in numbers. */
static limn_status read_dims(limn_pickle *p, limn_value size, limn_value stride, limn_pickle_tensor *t)
{
    if (size.kind != LIMN_PICKLE_TUPLE || stride.kind != LIMN_PICKLE_TUPLE || size.n != stride.n)
        return limn_pickle_bad(p, "a tensor whose sizes and strides are not two tuples of one length");
    if (size.n > LIMN_FILE_RANK)
        return limn_pickle_bad(p, "a tensor of %u dimensions, at most %d are read", (unsigned)size.n, LIMN_FILE_RANK);
    limn_status status =
        limn_pickle_room(p, &p->numbers, p->n_numbers, 2 * size.n, &p->numbers_capacity, sizeof *p->numbers);
    if (status != LIMN_OK) return status;
    t->rank = (int)size.n;
    t->dims = p->n_numbers;
    for (unsigned i = 0; i < 2 * size.n; i++) {
        limn_value v = p->tuples[i < size.n ? size.i + i : stride.i + i - size.n];
        if (v.kind != LIMN_PICKLE_INT || v.i < 0)
            return limn_pickle_bad(p, "a tensor whose sizes or strides are not whole numbers from 0 on");
        p->numbers[p->n_numbers + i] = v.i;
    }
    p->n_numbers += 2 * size.n;
    return LIMN_OK;
}

/* Every element lies in the storage of numel elements, and a few bytes do not stand for very many. */
static limn_status check_range(limn_pickle *p, const limn_pickle_tensor *t, int64_t numel)
{
    const int64_t *size = p->numbers + t->dims, *stride = size + t->rank;
    int64_t count = 1, last = t->offset;
    bool fits = t->offset >= 0;
    for (int i = 0; i < t->rank && fits; i++) fits = !__builtin_mul_overflow(count, size[i], &count);
    int64_t width = limn_torch_type_row(t->type)->bytes, bytes = 0;
    fits = fits && !__builtin_mul_overflow(count, width, &bytes);
    for (int i = 0; i < t->rank && fits && count; i++) {
        int64_t step;
        fits = !__builtin_mul_overflow(size[i] - 1, size[i] > 1 ? stride[i] : 0, &step) &&
               !__builtin_add_overflow(last, step, &last);
    }
    if (!fits) return limn_pickle_bad(p, "a tensor whose offset, sizes and strides make more than 2^63");
    if (count ? last >= numel : last > numel)
        return limn_pickle_bad(p, "a tensor whose %s is element %lld of a storage of %lld", count ? "last element" : "place",
                               (long long)last, (long long)numel);
    if (bytes > FREE_BYTES && bytes / NUMEL_OVER_STORAGE > numel * width)
        return limn_pickle_bad(p, "a tensor of %lld bytes on a storage of %lld, at most %d times as many are read",
                               (long long)bytes, (long long)(numel * width), NUMEL_OVER_STORAGE);
    return LIMN_OK;
}

/* arguments: storage, offset, size, stride ...  type: -1 for the storage's own */
static limn_status tensor(limn_pickle *p, const limn_value *v, int type, limn_value *out)
{
    if (v[0].kind != LIMN_PICKLE_STORAGE || v[1].kind != LIMN_PICKLE_INT || (v[0].n == UNTYPED) != (type >= 0))
        return limn_pickle_bad(p, "a tensor without a storage%s and an offset", type < 0 ? " that has a type" : "");
    limn_pickle_tensor t = {.member = (size_t)v[0].i, .offset = v[1].i, .type = type < 0 ? (int)v[0].n : type};
    limn_status status = read_dims(p, v[2], v[3], &t);
    int64_t width = types[t.type].bytes,
            bytes = p->root ? (int64_t)p->zip->members[t.member].size : p->told[t.member].numel * types[v[0].n].bytes;
    if (status == LIMN_OK) status = check_range(p, &t, bytes / width);
    if (status == LIMN_OK) status = limn_pickle_room(p, &p->tensors, p->n_tensors, 1, &p->tensors_capacity, sizeof t);
    if (status != LIMN_OK) return status;
    *out = (limn_value){.kind = LIMN_PICKLE_TENSOR, .i = (int64_t)p->n_tensors};
    p->tensors[p->n_tensors++] = t;
    return LIMN_OK;
}

static limn_status tensor_v3(limn_pickle *p, const limn_value *v, limn_value *out)
{
    if (v[6].kind != LIMN_PICKLE_GLOBAL || v[6].i < N_GLOBALS + N_TYPES)
        return limn_pickle_bad(p, "_rebuild_tensor_v3 without a dtype");
    return tensor(p, v, (int)(v[6].i - N_GLOBALS - N_TYPES), out);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

limn_status limn_torch_reduce(limn_pickle *p, limn_value function, limn_value arguments, limn_value *out)
{
    static const struct { unsigned least, most;
    } counts[] = {
        [ORDERED_DICT] = {0, 0}, [TENSOR] = {4, 4},     [TENSOR_V2] = {6, 7},
        [TENSOR_V3] = {7, 8},    [PARAMETER] = {3, 3},  [PARAMETER_WITH_STATE] = {4, 4},
        [SIZE] = {1, 1},         [DROPPED] = {0, 1000},
    };
    if (function.kind != LIMN_PICKLE_GLOBAL || function.i >= N_GLOBALS || arguments.kind != LIMN_PICKLE_TUPLE)
        return limn_pickle_bad(p, "REDUCE of something that is no function of torch");
    meaning m = globals[function.i].meaning;
    const limn_value *v = arguments.n ? p->tuples + arguments.i : NULL;
    if (arguments.n < counts[m].least || arguments.n > counts[m].most)
        return limn_pickle_bad(p, "%s.%s with %u arguments", globals[function.i].module, globals[function.i].name,
                               (unsigned)arguments.n);
    switch (m) {
    case ORDERED_DICT: return limn_pickle_dict(p, out);
    case TENSOR: case TENSOR_V2: return tensor(p, v, -1, out);
    case TENSOR_V3: return tensor_v3(p, v, out);
    case PARAMETER:
    case PARAMETER_WITH_STATE:
        *out = v[0];
        return v[0].kind == LIMN_PICKLE_TENSOR ? LIMN_OK : limn_pickle_bad(p, "a parameter of something that is no tensor");
    case SIZE:
        *out = v[0];
        return v[0].kind == LIMN_PICKLE_TUPLE ? LIMN_OK : limn_pickle_bad(p, "torch.Size of something that is no tuple");
    default: *out = (limn_value){.kind = LIMN_PICKLE_OTHER}; return LIMN_OK;
    }
}

limn_status limn_torch_new(limn_pickle *p, limn_value class, limn_value arguments, limn_value *out)
{
    bool known = class.kind == LIMN_PICKLE_GLOBAL && class.i < N_GLOBALS && arguments.kind == LIMN_PICKLE_TUPLE;
    if (known && globals[class.i].meaning == PARAMETER_DICT) {
        limn_status status = limn_pickle_dict(p, out);
        out->n = 1;
        return status;
    }
    if (!known || globals[class.i].meaning != DROPPED)
        return limn_pickle_bad(p, "NEWOBJ of something that state dicts do not hold");
    *out = (limn_value){.kind = LIMN_PICKLE_OTHER};
    return LIMN_OK;
}
