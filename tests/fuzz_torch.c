/* fuzz_torch.c: first byte even: the rest is a file; odd: it is a pickle in a good archive with storages "0", "1" and "2",
 * so that mutations need not guess sizes and checksums, or with the second bit in a good file before torch 1.6.  What opens
 * is read in every way. */
#include "file/weight_file.h"
#include "make_torch.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void put_old_file(made_bytes *f, const made_bytes *pickle)
{
    static const char *const keys[] = {"0", "1", "2"};
    old_begin(f, true, pickle, 3, keys);
    old_storage(f, 24, 4), old_storage(f, 16, 4), old_storage(f, 8, 1);
}

static void read_everything(limn_ctx *ctx, const limn_weight_file *st, bool whole)
{
    bool known;
    limn_status status = limn_weight_file_check(ctx, st, &known);
    require(status == LIMN_OK || (status == LIMN_BAD_FILE && !whole));
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        size_t n = 1;
        require(limn_weight_file_find(st, e->name) == e && e->rank <= LIMN_FILE_RANK);
        for (int k = 0; k < e->rank; k++) require(e->dim[k] >= 0), n *= (size_t)e->dim[k];
        if (!e->usable || n > 1 << 16 || i > 1000) continue;
        require(n * limn_dtype_bytes(e->dtype) == e->bytes);
        double *values = malloc(n * sizeof *values + 1);
        void *plain = malloc(e->bytes + 1);
        limn_status wide = limn_weight_file_load(ctx, st, e, values, LIMN_F64),
                    same = limn_weight_file_load(ctx, st, e, plain, e->dtype);
        require(wide == same && (wide == LIMN_OK || (wide == LIMN_BAD_FILE && !whole)));
        free(values);
        free(plain);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    made_zip z = {0};
    bool pickle = data[0] & 1;
    const made_bytes rest = {.at = (unsigned char *)(uintptr_t)(data + 1), .n = n - 1};
    if (pickle && data[0] & 2) put_old_file(&z.file, &rest);
    else if (pickle) torch_file(&z, &rest, 3, (const size_t[]){96, 64, 8});
    else put(&z.file, data + 1, n - 1);
    uint8_t *exact = malloc(z.file.n); /* exactly as long as it may be read, so that a byte more is seen */
    memcpy(exact, z.file.at, z.file.n);
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st = NULL;
    limn_status status = limn_weight_file_parse(ctx, "fuzz", exact, z.file.n, &st);
    require(status == LIMN_OK ? st != NULL
                              : status == LIMN_BAD_FILE && !st && strncmp(limn_error_text(ctx), "fuzz: ", 6) == 0);
    if (pickle && status != LIMN_OK && !strstr(limn_error_text(ctx), "comes twice"))
        require(strstr(limn_error_text(ctx), "nothing was executed") != NULL);
    if (st) read_everything(ctx, st, pickle);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
    free(exact);
    zip_free(&z);
    return 0;
}
