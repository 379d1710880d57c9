/* make_torch.h: pickles and zip archives made in memory, good and bad ones, for tests.  Every maker gives bytes to
 * free(). */
#ifndef MAKE_TORCH_H
#define MAKE_TORCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct made_bytes {
    unsigned char *at;
    size_t n, capacity;
} made_bytes;

static inline void put(made_bytes *b, const void *bytes, size_t n)
{
    if (b->n + n > b->capacity) {
        b->capacity = 2 * (b->n + n) + 64;
        b->at = realloc(b->at, b->capacity);
    }
    if (n) memcpy(b->at + b->n, bytes, n);
    b->n += n;
}

static inline void put_text(made_bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

/* n bytes, little-endian */
static inline void put_number(made_bytes *b, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) put(b, &(unsigned char){i < 8 ? (unsigned char)(value >> 8 * i) : 0}, 1);
}

static inline void set_number(unsigned char *at, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) at[i] = (unsigned char)(value >> 8 * i);
}

/* ---- zip -------------------------------------------------------------------------------------------------------------- */

enum { MADE_MEMBERS = 32 };

typedef struct made_zip {
    made_bytes file, directory;
    int n;
    size_t local[MADE_MEMBERS], data[MADE_MEMBERS], central[MADE_MEMBERS]; /* of member i; central: in the directory */
    size_t begin;                                                          /* of the directory, once it is ended */
} made_zip;

/* What both headers say from the flags on: flags, method, time, crc, sizes, length of the name. */
static inline void put_facts(made_bytes *b, int method, uint32_t crc, size_t stored, size_t size, const char *name)
{
    put_number(b, 0x800, 2);
    put_number(b, (uint64_t)method, 2);
    put_number(b, 0, 4);
    put_number(b, crc, 4);
    put_number(b, stored, 4);
    put_number(b, size, 4);
    put_number(b, strlen(name), 2);
}

static inline void zip_put(made_zip *z, const char *name, const void *bytes, size_t stored, size_t size, uint32_t crc,
                           int method)
{
    int i = z->n++ % MADE_MEMBERS;
    z->local[i] = z->file.n;
    put_text(&z->file, "PK\3\4");
    put_number(&z->file, 20, 2);
    put_facts(&z->file, method, crc, stored, size, name);
    put_number(&z->file, 0, 2);
    put_text(&z->file, name);
    z->data[i] = z->file.n;
    put(&z->file, bytes, stored);
    z->central[i] = z->directory.n;
    put_text(&z->directory, "PK\1\2");
    put_number(&z->directory, 20, 2);
    put_number(&z->directory, 20, 2);
    put_facts(&z->directory, method, crc, stored, size, name);
    put_number(&z->directory, 0, 12); /* extra, comment, disk, attributes */
    put_number(&z->directory, z->local[i], 4);
    put_text(&z->directory, name);
}

static inline void zip_add(made_zip *z, const char *name, const void *bytes, size_t n)
{
    zip_put(z, name, bytes, n, n, (uint32_t)crc32(0, bytes, (uInt)n), 0);
}

static inline void zip_add_deflated(made_zip *z, const char *name, const void *bytes, size_t n)
{
    z_stream s = {0};
    size_t room = n + n / 100 + 1000;
    unsigned char *out = malloc(room);
    deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
    s.next_in = (Bytef *)(uintptr_t)bytes, s.avail_in = (uInt)n, s.next_out = out, s.avail_out = (uInt)room;
    deflate(&s, Z_FINISH);
    zip_put(z, name, out, room - s.avail_out, n, (uint32_t)crc32(0, bytes, (uInt)n), 8);
    deflateEnd(&s);
    free(out);
}

/* Directory and end record.  The file is z->file. */
static inline void zip_end(made_zip *z)
{
    z->begin = z->file.n;
    put(&z->file, z->directory.at, z->directory.n);
    put_text(&z->file, "PK\5\6");
    put_number(&z->file, 0, 4);
    put_number(&z->file, (uint64_t)z->n, 2);
    put_number(&z->file, (uint64_t)z->n, 2);
    put_number(&z->file, z->directory.n, 4);
    put_number(&z->file, z->begin, 4);
    put_number(&z->file, 0, 2);
}

static inline void zip_free(made_zip *z)
{
    free(z->file.at);
    free(z->directory.at);
}

/* ---- pickle ----------------------------------------------------------------------------------------------------------- */

static inline void pickle_text(made_bytes *p, const char *text)
{
    put_text(p, "X");
    put_number(p, strlen(text), 4);
    put_text(p, text);
}

static inline void pickle_int(made_bytes *p, int64_t i)
{
    put(p, "\x8a\x08", 2);
    put_number(p, (uint64_t)i, 8);
}

static inline void pickle_ints(made_bytes *p, int n, const int64_t *i)
{
    put_text(p, "(");
    for (int k = 0; k < n; k++) pickle_int(p, i[k]);
    put_text(p, "t");
}

typedef struct made_tensor {
    const char *type, *key;  /* "FloatStorage", "0" */
    int64_t numel, offset;
    int rank;
    int64_t size[10], stride[10];
} made_tensor;

/* Up to the number of elements. */
static inline void pickle_storage(made_bytes *p, const char *type, const char *key, int64_t numel)
{
    put_text(p, "(");
    pickle_text(p, "storage");
    put_text(p, "ctorch\n");
    put_text(p, type);
    put_text(p, "\n");
    pickle_text(p, key);
    pickle_text(p, "cpu");
    pickle_int(p, numel);
}

static inline void pickle_place(made_bytes *p, const made_tensor *t)
{
    put_text(p, "tQ");
    pickle_int(p, t->offset);
    pickle_ints(p, t->rank, t->size);
    pickle_ints(p, t->rank, t->stride);
    put_text(p, "\x89" "ccollections\nOrderedDict\n)RtR");
}

static inline void pickle_tensor(made_bytes *p, made_tensor t)
{
    put_text(p, "ctorch._utils\n_rebuild_tensor_v2\n(");
    pickle_storage(p, t.type, t.key, t.numel);
    pickle_place(p, &t);
}

/* An archive of a pickle (without PROTO and STOP, which are added) and storages "0", "1" ... of n bytes each, which count 1,
 * 2, 3 ... */
static inline void torch_file(made_zip *z, const made_bytes *pickle, int n_storages, const size_t *n)
{
    made_bytes whole = {0}, data = {0};
    put(&whole, "\x80\2", 2);
    put(&whole, pickle->at, pickle->n);
    put_text(&whole, ".");
    zip_add(z, "archive/data.pkl", whole.at, whole.n);
    for (int i = 0; i < n_storages; i++) {
        char name[40];
        snprintf(name, sizeof name, "archive/data/%d", i);
        data.n = 0;
        for (size_t k = 0; k < n[i]; k++) put_number(&data, k + 1, 1);
        zip_add(z, name, data.n ? (void *)data.at : (void *)"", data.n);
    }
    zip_add(z, "archive/version", "3\n", 2);
    zip_end(z);
    free(whole.at);
    free(data.at);
}

/* ---- before torch 1.6 ------------------------------------------------------------------------------------------------- */

/* view: NULL, or the key of a view of the storage, n elements from `first` on, which the tensor lies in. */
static inline void pickle_old_tensor(made_bytes *p, made_tensor t, const char *view, int64_t first, int64_t n)
{
    put_text(p, "ctorch._utils\n_rebuild_tensor_v2\n(");
    pickle_storage(p, t.type, t.key, t.numel);
    put_text(p, view ? "(" : "N");
    if (view) pickle_text(p, view), pickle_int(p, first), pickle_int(p, n), put_text(p, "t");
    pickle_place(p, &t);
}

enum { OLD_MAGIC = 15, OLD_HEAD = 15 + 6 };

/* Magic number, 1001, the machine, the pickle (without PROTO and STOP), the keys of storages; these follow. */
static inline void old_begin(made_bytes *f, bool little, const made_bytes *pickle, int n_keys, const char *const *keys)
{
    put(f, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.", OLD_HEAD);
    put(f, "\x80\2}(", 4);
    pickle_text(f, "protocol_version");
    pickle_int(f, 1001);
    pickle_text(f, "little_endian");
    put_text(f, little ? "\x88u." : "\x89u.");
    put(f, "\x80\2", 2);
    put(f, pickle->at, pickle->n);
    put_text(f, ".\x80\2](");
    for (int i = 0; i < n_keys; i++) pickle_text(f, keys[i]);
    put_text(f, "e.");
}

/* A storage of n elements of `width` bytes, which count 1, 2, 3 .. */
static inline void old_storage(made_bytes *f, size_t n, size_t width)
{
    put_number(f, n, 8);
    for (size_t k = 0; k < n * width; k++) put_number(f, k + 1, 1);
}

#endif
