/* test_torch_hostile.c: every way a .pt file can lie has a row: what is refused, with which words, and that nothing was
 * executed. */
#include "base/rng.h"
#include "file/weight_file.h"
#include "make_torch.h"
#include "vectors/torch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static limn_ctx *ctx;

static int make_ctx(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    return ctx ? 0 : -1;
}

static int drop_ctx(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

static limn_status parse(const void *bytes, size_t n)
{
    limn_weight_file *st;
    unsigned char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a byte too many */
    memcpy(exact, bytes, n);
    limn_status status = limn_weight_file_parse(ctx, "t.pt", exact, n, &st);
    limn_weight_file_close(st);
    free(exact);
    return status;
}

static void refuse(const char *what, const void *bytes, size_t n, const char *words)
{
    if (parse(bytes, n) != LIMN_BAD_FILE) fail_msg("was not refused: %s", what);
    if (strncmp(limn_error_text(ctx), "t.pt: ", 6) != 0 || !strstr(limn_error_text(ctx), words))
        fail_msg("expected \"%s\" in \"%s\" for %s", words, limn_error_text(ctx), what);
}

/* The archive of a pickle (without PROTO and STOP), storages "0" of 96 bytes and "1" of 8. */
static made_zip archive_of(const void *pickle, size_t n)
{
    made_zip z = {0};
    torch_file(&z, &(made_bytes){.at = (unsigned char *)(uintptr_t)pickle, .n = n}, 2, (const size_t[]){96, 8});
    return z;
}

static void refuse_pickle(const char *what, const void *pickle, size_t n, const char *words)
{
    made_zip z = archive_of(pickle, n);
    refuse(what, z.file.at, z.file.n, words);
    if (!strstr(limn_error_text(ctx), "archive/data.pkl, byte ") || !strstr(limn_error_text(ctx), "nothing was executed"))
        fail_msg("%s", limn_error_text(ctx));
    zip_free(&z);
}

static void accept_pickle(const char *what, const void *pickle, size_t n, size_t tensors)
{
    made_zip z = archive_of(pickle, n);
    limn_weight_file *st;
    if (limn_weight_file_parse(ctx, "t.pt", z.file.at, z.file.n, &st) != LIMN_OK)
        fail_msg("%s: %s", what, limn_error_text(ctx));
    assert_int_equal(limn_weight_file_count(st), tensors);
    limn_weight_file_close(st);
    zip_free(&z);
}

/* ---- pickles ---------------------------------------------------------------------------------------------------------- */

#define ROW(pickle, words) {pickle, sizeof pickle - 1, words}

static void only_the_objects_of_state_dicts_are_known(void **state)
{
    (void)state;
    static const struct { const char *pickle; size_t n; const char *words;
    } rows[] = {
        ROW("cos\nsystem\n(X\4\0\0\0trueu85R", "byte 2: it asks for the Python object \"os.system\""),
        ROW("cposix\nsystem\nX\4\0\0\0true\x85R", "\"posix.system\""),
        ROW("cnt\nsystem\n", "\"nt.system\""),
        ROW("csys\nexit\n", "\"sys.exit\""),
        ROW("cbuiltins\neval\nX\4\0\0\0true\x85R", "\"builtins.eval\""),
        ROW("c__builtin__\nexec\n", "\"__builtin__.exec\""),
        ROW("cbuiltins\ngetattr\n", "\"builtins.getattr\""),
        ROW("ctorch\nload\n", "\"torch.load\""),
        ROW("ctorch._utils\n_rebuild_tensor_v22\n", "_rebuild_tensor_v22\""),
        ROW("ctorch.nn\nModule\n", "\"torch.nn.Module\""),
        ROW("ccollections\nOrderedDict.fromkeys\n", "fromkeys\""),
        ROW("c\n\n", "object \".\""),
        ROW("ccollections\nOrdered\0Dict\n", "Ordered\\x00Dict\""),
        ROW("c\x1b[31m\nx\n", "\"\\x1b[31m.x\""),
        ROW("cos", "does not end"),
        ROW("cos\nsystem", "does not end"),
        ROW("N0cos\nsystem\n", "byte 3: opcode 0x30"),
        /* other ways to name or make an object */
        ROW("X\2\0\0\0osX\6\0\0\0system\x93", "opcode 0x93"),
        ROW("(ios\nsystem\n", "opcode 0x69"),
        ROW("(cos\nsystem\no", "os.system"),
        ROW("(o", "opcode 0x6f"),
        ROW("\x82\1", "opcode 0x82"),
        ROW("\x83\1\0", "opcode 0x83"),
        ROW("\x84\1\0\0\0", "opcode 0x84"),
        ROW("\x97", "opcode 0x97"),
        ROW("\x95\0\0\0\0\0\0\0\0", "opcode 0x95"),
        ROW("P0\n", "opcode 0x50"),
        ROW("\x92", "opcode 0x92"),
        ROW("\x8b\xff\xff\xff\xff", "opcode 0x8b"),
        ROW("\xff", "opcode 0xff"),
        ROW("\0", "opcode 0x00"),
        /* calls that are none of the fixed ones */
        ROW("NN\x85R", "REDUCE of something"),
        ROW("])R", "REDUCE of something"),
        ROW("ctorch\nFloatStorage\n)R", "REDUCE of something"),
        ROW("ctorch\nfloat32\n)R", "REDUCE of something"),
        ROW("ccollections\nOrderedDict\n]R", "REDUCE of something"),
        ROW("ccollections\nOrderedDict\n]\x85R", "OrderedDict with 1 arguments"),
        ROW("ccollections\nOrderedDict\n)\x81", "NEWOBJ of something"),
        ROW("ctorch._utils\n_rebuild_tensor_v2\n)\x81", "NEWOBJ"),
        ROW("N)\x81", "NEWOBJ"),
        ROW("ctorch._utils\n_rebuild_tensor_v2\n)R", "with 0 arguments"),
        ROW("ctorch._utils\n_rebuild_parameter\nN\x88}\x87R", "a parameter of something"),
        ROW("ctorch\nSize\nN\x85R", "torch.Size of something"),
        ROW("]Nb", "BUILD of something"),
        ROW("K\1}b", "BUILD of something"),
        ROW("}b", "expected 2 values"),
        /* the stack */
        ROW("", "0 values on the stack at its end"),
        ROW("NN", "2 values on the stack"),
        ROW("(", "1 values on the stack"),
        ROW("R", "expected 2 values on the stack, found 0"),
        ROW("NR", "found 1"),
        ROW("N(R", "found 0"),
        ROW("t", "no mark"),
        ROW("Nu", "no mark"),
        ROW("}N(Nu", "not a dict"),
        ROW("}(Nu", "1 values are not pairs"),
        ROW("e", "no mark"),
        ROW("](NNu", "not a dict"),
        ROW("}(Ne", "not a list"),
        ROW("(Ne", "not a list"),
        ROW("(e", "not a list"),
        ROW("K\1NNs", "not a dict"),
        ROW("}Na", "not a list"),
        ROW("Na", "not a list"),
        ROW("NNs", "not a dict"),
        ROW("\x85", "expected 1 values"),
        ROW("N\x86", "found 1"),
        ROW("NN\x87", "found 2"),
        ROW("Q", "found 0"),
        ROW("(Q", "found 0"),
        /* the memo */
        ROW("q\0", "expected 1 values"),
        ROW("Nq\1", "memo 1, where the next is 0"),
        ROW("Nr\0\0\0\x80", "memo 2147483648, where the next is 0"),
        ROW("h\0", "memo 0 of 0"),
        ROW("Nq\0h\1", "memo 1 of 1"),
        ROW("j\xff\xff\xff\xff", "memo 4294967295 of 0"),
        /* lengths */
        ROW("X\xff\xff\xff\xff", "4294967295 bytes are announced"),
        ROW("X\6\0\0\0abcd", "6 bytes are announced where 5"),
        ROW("X\1\0", "4 bytes are announced where 3"),
        ROW("U\xff", "255 bytes"),
        ROW("\x8d\0\0\0\0\0\0\0\x80", "opcode 0x8d"),
        ROW("X\1\0\0\0\xff", "not valid UTF-8"),
        ROW("X\2\0\0\0\xc0\xaf", "not valid UTF-8"),
        ROW("X\3\0\0\0\xed\xa0\x80", "not valid UTF-8"),
        ROW("\x8a\xff", "255 bytes are announced"),
        ROW("\x8a\x0a"
            "abcdefghij",
            "a number of 10 bytes"),
        ROW("\x8a\x09"
            "abcdefghi",
            "more than 64 bits"),
        ROW("J\1\2", "4 bytes are announced"),
        ROW("\x80\4N", "byte 2: pickle protocol 4"),
        ROW("\x80\1N", "pickle protocol 1"),
        ROW("N.N", "2 bytes follow its end"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) refuse_pickle(rows[i].words, rows[i].pickle, rows[i].n, rows[i].words);
}

static void what_checkpoints_hold_beside_tensors_is_dropped(void **state)
{
    (void)state;
    static const struct { const char *pickle; size_t n; const char *words;
    } rows[] = {
        ROW("N", "None"),
        ROW("G12345678", "a float"),
        ROW("\x8a\0", "zero"),
        ROW("\x8a\x09\0\0\0\0\0\0\0\xff\0", "2^64 - 1"),
        ROW("U\3abc", "bytes of Python 2"),
        ROW("cargparse\nNamespace\n)\x81}X\1\0\0\0aK\1sb", "arguments"),
        ROW("ccollections\nOrderedDict\n)R}X\1\0\0\0a)sb", "_metadata"),
        ROW("c__builtin__\nset\n](K\1K\2e\x85R", "a set"),
        ROW("}NNs", "a key that is None"),
        ROW("}(NNNNu", "the same twice"),
        ROW("]q\0h\0a", "a list in itself, once"),
    };
    for (size_t i = 0; i + 1 < COUNT(rows); i++) accept_pickle(rows[i].words, rows[i].pickle, rows[i].n, 0);
    refuse_pickle("a list that contains itself", rows[10].pickle, rows[10].n, "or one that contains itself");
    refuse_pickle("a dict that contains itself", "}q\0X\1\0\0\0ah\0s", 12, "or one that contains itself");
}

/* n times a piece */
static made_bytes repeated(const char *before, const char *piece, size_t n_piece, size_t n)
{
    made_bytes p = {0};
    put_text(&p, before);
    for (size_t i = 0; i < n; i++) put(&p, piece, n_piece);
    return p;
}

static void nesting_doubling_and_piling_up_end_in_a_sentence(void **state)
{
    (void)state;
    made_bytes p = repeated("", "]", 1, 100000);
    for (int i = 1; i < 100000; i++) put_text(&p, "a");
    refuse_pickle("lists 100 000 deep", p.at, p.n, "nested more than 64 deep");
    free(p.at);
    p = repeated("N", "\x85", 1, 300000);
    refuse_pickle("tuples 300 000 deep", p.at, p.n, "nested more than 64 deep");
    free(p.at);
    p = repeated("](]q", "\0", 1, 1); /* "billion laughs": each list holds the one before twice */
    for (uint64_t i = 0; i < 40; i++) {
        put_text(&p, "]q");
        put_number(&p, i + 1, 1);
        for (int k = 0; k < 2; k++) put_text(&p, "h"), put_number(&p, i, 1), put_text(&p, "a");
    }
    put_text(&p, "e");
    refuse_pickle("40 doublings", p.at, p.n, "hold more than 4000000 objects");
    free(p.at);
    p = (made_bytes){0}; /* a list of 5000 times one dict of 200 keys of 30 000 letters: 30 GB of names */
    put_text(&p, "X");
    put_number(&p, 30000, 4);
    for (int i = 0; i < 30000; i++) put_text(&p, "k");
    put(&p, "q\0}q\1(", 6);
    for (int i = 0; i < 200; i++) put(&p, "h\0]", 3);
    put(&p, "u](", 3);
    for (int i = 0; i < 5000; i++) put(&p, "h\1", 2);
    put(&p, "e\x87", 2);
    refuse_pickle("long names", p.at, p.n, "hold more than 4000000 objects, or names as long");
    free(p.at);
    p = repeated("", "N", 1, 250001);
    refuse_pickle("a high stack", p.at, p.n, "more than 250000 values on the stack");
    free(p.at);
    p = repeated("N", "\x85", 1, 4000000);
    refuse_pickle("four million tuples", p.at, p.n, "too much memory for a file of this size");
    free(p.at);
    p = (made_bytes){0};
    put_text(&p, "N");
    for (uint32_t i = 0; i <= 1000000; i++) put_text(&p, "r"), put_number(&p, i, 4);
    made_zip z = {0};
    torch_file(&z, &p, 1, (const size_t[]){16 << 20}); /* large enough for that much memory */
    refuse("a million memos", z.file.at, z.file.n, "memo 1000000");
    zip_free(&z);
    free(p.at);
}

/* ---- storages and tensors --------------------------------------------------------------------------------------------- */

static made_bytes one_tensor(made_tensor t)
{
    made_bytes p = {0};
    put_text(&p, "}");
    pickle_text(&p, "a");
    pickle_tensor(&p, t);
    put_text(&p, "s");
    return p;
}

#define F(...) {"FloatStorage", "0", 24, __VA_ARGS__}

static void every_element_of_a_tensor_lies_in_its_storage(void **state)
{
    (void)state;
    const int64_t big = INT64_C(1) << 62, half = INT64_C(1) << 32;
    const struct { made_tensor t; const char *words;
    } rows[] = {
        {F(1, 1, {24}, {1}), "last element is element 24 of a storage of 24"},
        {F(24, 0, {0}, {0}), "element 24 of"},
        {F(0, 2, {4, 7}, {7, 1}), "element 27 of"},
        {F(0, 2, {5, 1}, {6, 1}), "element 24 of"},
        {F(25, 1, {0}, {1}), "place is element 25"},
        {F(-1, 1, {1}, {1}), "make more than 2^63"},
        {F(INT64_MIN, 0, {0}, {0}), "2^63"},
        {F(INT64_MAX, 1, {2}, {1}), "2^63"},
        {F(0, 1, {-1}, {1}), "from 0 on"},
        {F(0, 1, {2}, {-1}), "from 0 on"},
        {F(3, 2, {2, 2}, {1, -1}), "from 0 on"},
        {F(0, 2, {half, half}, {0, 0}), "2^63"},
        {F(0, 1, {big}, {0}), "2^63"},
        {F(0, 1, {3}, {big}), "2^63"},
        {F(0, 2, {2, 2}, {big, big}), "2^63"},
        {F(0, 3, {0, half, half}, {1, 1, 1}), NULL},
        {F(0, 3, {half, half, 0}, {1, 1, 1}), "2^63"},
        {F(0, 1, {1 << 30}, {0}), "at most 200 times"},
        {F(0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}), "9 dimensions, at most 8"},
        {{"FloatStorage", "0", 23, 0, 1, {1}, {1}}, "holds 96 bytes"},
        {{"FloatStorage", "0", 25, 0, 1, {1}, {1}}, "holds 96 bytes"},
        {{"FloatStorage", "0", big, 0, 1, {1}, {1}}, "holds 96"},
        {{"FloatStorage", "0", -24, 0, 1, {1}, {1}}, "holds 96 bytes"},
        {{"DoubleStorage", "0", 24, 0, 1, {1}, {1}}, "24 elements of 8 bytes, the archive holds 96"},
        {{"FloatStorage", "2", 24, 0, 1, {1}, {1}}, "there is no storage \"2\""},
        {{"FloatStorage", "../data.pkl", 24, 0, 1, {1}, {1}}, "no plain name"},
        {{"FloatStorage", "", 24, 0, 1, {1}, {1}}, "no plain name"},
        {{"UntypedStorage", "0", 96, 0, 1, {1}, {1}}, "without a storage that has a type"},
        {F(23, 1, {1}, {big}), NULL},
        {F(24, 1, {0}, {1}), NULL},
        {F(0, 2, {100, 24}, {0, 1}), NULL},
        {F(0, 8, {1, 1, 1, 1, 1, 1, 2, 12}, {0, 0, 0, 0, 0, 0, 12, 1}), NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        made_bytes p = one_tensor(rows[i].t);
        if (rows[i].words) refuse_pickle(rows[i].words, p.at, p.n, rows[i].words);
        else accept_pickle("a tensor at the edge", p.at, p.n, 1);
        free(p.at);
    }
}

static void tensors_may_share_a_storage_that_all_of_them_describe_alike(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int64_t numel;
        const char *words;
    } rows[] = {{"FloatStorage", 24, NULL},
                {"IntStorage", 24, "IntStorage of 24 elements here, and FloatStorage of 24"},
                {"DoubleStorage", 12, "DoubleStorage of 12"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        made_bytes p = one_tensor((made_tensor)F(0, 1, {24}, {1}));
        pickle_text(&p, "b");
        pickle_tensor(&p, (made_tensor){rows[i].type, "0", rows[i].numel, 4, 1, {3}, {2}});
        put_text(&p, "s");
        if (rows[i].words) refuse_pickle(rows[i].words, p.at, p.n, rows[i].words);
        else accept_pickle("two tensors", p.at, p.n, 2);
        free(p.at);
    }
}

static void a_tensor_needs_the_arguments_that_torch_gives_it(void **state)
{
    (void)state;
#define STORAGE "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\x18tQ"
#define V2 "ctorch._utils\n_rebuild_tensor_v2\n("
    static const struct { const char *pickle; size_t n; const char *words;
    } rows[] = {
        ROW(V2 STORAGE "K\0K\1\x85K\1\x85tR", "with 4 arguments"),
        ROW(V2 "NK\0K\1\x85K\1\x85\x89}tR", "without a storage"),
        ROW(V2 STORAGE "NK\1\x85K\1\x85\x89}tR", "and an offset"),
        ROW(V2 STORAGE "K\0K\1K\1\x85\x89}tR", "two tuples of one length"),
        ROW(V2 STORAGE "K\0K\1\x85)\x89}tR", "two tuples of one length"),
        ROW(V2 STORAGE "K\0N\x85K\1\x85\x89}tR", "whole numbers"),
        ROW(V2 STORAGE "K\0K\1\x85\x88\x85\x89}tR", "whole numbers"),
        ROW("(X\7\0\0\0storageNX\1\0\0\0"
            "0X\3\0\0\0cpuK\x18tQ",
            "a persistent id other"),
        ROW("(X\7\0\0\0sturagectorch\nFloatStorage\nX\1\0\0\0"
            "0X\3\0\0\0cpuK\x18tQ",
            "a persistent id other"),
        ROW("(X\7\0\0\0storagectorch\nfloat32\nX\1\0\0\0"
            "0X\3\0\0\0cpuK\x18tQ",
            "a persistent id other"),
        ROW("(X\7\0\0\0storagectorch\nFloatStorage\nK\0X\3\0\0\0cpuK\x18tQ", "a persistent id"),
        ROW("(X\7\0\0\0storagetQ", "a persistent id other"),
        ROW("NQ", "a persistent id other"),
        ROW("K\1Q", "a persistent id other"),
        ROW(STORAGE "Q", "a persistent id other"),
        ROW(V2 STORAGE "K\0K\1\x85K\1\x85\x89}tRNNs", "not a dict"),
        ROW(V2 STORAGE "K\0K\1\x85K\1\x85\x89}tR}b", "BUILD of something"),
        ROW("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE "K\0K\1\x85K\1\x85\x89}ctorch\nfloat32\ntR", "without a storage"),
        ROW("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE "K\0K\1\x85K\1\x85\x89}NtR", "without a dtype"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) refuse_pickle(rows[i].words, rows[i].pickle, rows[i].n, rows[i].words);
    made_bytes p = one_tensor((made_tensor)F(0, 1, {24}, {1}));
    pickle_text(&p, "a");
    pickle_tensor(&p, (made_tensor)F(0, 1, {24}, {1}));
    put_text(&p, "s");
    made_zip z = archive_of(p.at, p.n);
    refuse("two of one name", z.file.at, z.file.n, "tensor \"a\" comes twice");
    zip_free(&z);
    free(p.at);
    refuse_pickle("a name with a NUL", "}X\1\0\0\0\0]s", 9, "a NUL in a name");
}

/* ---- zip -------------------------------------------------------------------------------------------------------------- */

static made_zip good_archive(void)
{
    made_bytes p = one_tensor((made_tensor)F(0, 2, {4, 6}, {6, 1}));
    made_zip z = archive_of(p.at, p.n);
    free(p.at);
    return z;
}

typedef enum where { LOCAL, CENTRAL, END } where; /* a member's header, its record in the directory, the end record */

static void a_directory_that_lies_is_refused(void **state)
{
    (void)state;
    static const struct { where where; int member; size_t at; int bytes; uint64_t value; const char *words;
    } rows[] = {
        /* member 1 is archive/data/0 */
        {LOCAL, 1, 0, 4, 0, "says something else"},
        {LOCAL, 1, 6, 2, 0, "says something else"},
        {LOCAL, 1, 8, 2, 8, "says something else"},
        {LOCAL, 1, 14, 4, 1, "says something else"},
        {LOCAL, 1, 18, 4, 95, "says something else"},
        {LOCAL, 1, 22, 4, 97, "says something else"},
        {LOCAL, 1, 26, 2, 13, "says something else"},
        {LOCAL, 1, 28, 2, 1, "they overlap"},
        {LOCAL, 1, 28, 2, 0xffff, "they overlap"},
        {LOCAL, 1, 42, 2, 0x3939, "says something else"},
        {LOCAL, 1, 22, 4, UINT32_MAX, "says something else"},
        {CENTRAL, 1, 0, 4, 0, "no member's record"},
        {CENTRAL, 1, 8, 2, 0x801, "encrypted"},
        {CENTRAL, 1, 8, 2, 0x840, "unknown flags"},
        {CENTRAL, 1, 8, 2, 0x802, "unknown flags"},
        {CENTRAL, 1, 8, 2, 0x2800, "unknown flags"},
        {CENTRAL, 1, 10, 2, 1, "compression method 1"},
        {CENTRAL, 1, 10, 2, 99, "compression method 99"},
        {CENTRAL, 1, 16, 4, 1, "says something else"},
        {CENTRAL, 1, 20, 4, 95, "95 bytes make 96"},
        {CENTRAL, 1, 24, 4, 97, "96 bytes make 97"},
        {CENTRAL, 1, 20, 4, UINT32_MAX, "zip64 sizes are missing"},
        {CENTRAL, 1, 20, 8, UINT64_C(0x7fffffff7fffffff), "reach past byte"},
        {CENTRAL, 1, 28, 2, 0xffff, "longer than the directory"},
        {CENTRAL, 1, 30, 2, 4, "zip64 sizes"},
        {CENTRAL, 1, 34, 2, 1, "another disk"},
        {CENTRAL, 1, 42, 4, 0, "overlaps"},
        {CENTRAL, 1, 42, 4, 3, "overlaps"},
        {CENTRAL, 1, 42, 4, 0x7fffffff, "reach past byte"},
        {CENTRAL, 1, 46, 1, 0, "a NUL in its name"},
        {CENTRAL, 0, 42, 4, 1, "no member begins at byte 0"},
        {CENTRAL, 2, 59, 1, '0', "says something else"},
        {END, 0, 0, 4, 0, "no end record"},
        {END, 0, 4, 2, 1, "several disks"},
        {END, 0, 6, 2, 1, "several disks"},
        {END, 0, 8, 2, 3, "several disks"},
        {END, 0, 8, 4, 0x30003, "its 3 members take"},
        {END, 0, 8, 4, 0x50005, "no member's record"},
        {END, 0, 8, 4, 0xffffffff, "65535 members in a directory"},
        {END, 0, 8, 4, 0, "its 0 members take 0"},
        {END, 0, 12, 4, 1, "does not end at"},
        {END, 0, 12, 4, UINT32_MAX, "does not end at"},
        {END, 0, 16, 4, 1, "does not end at"},
        {END, 0, 16, 4, UINT32_MAX, "does not end at"},
        {END, 0, 20, 2, 1, "no end record"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        made_zip z = good_archive();
        size_t at = rows[i].where == LOCAL     ? z.local[rows[i].member]
                    : rows[i].where == CENTRAL ? z.begin + z.central[rows[i].member]
                                               : z.file.n - 22;
        set_number(z.file.at + at + rows[i].at, rows[i].value, rows[i].bytes);
        char what[80];
        snprintf(what, sizeof what, "row %zu: %s", i, rows[i].words);
        refuse(what, z.file.at, z.file.n, rows[i].words);
        zip_free(&z);
    }
}

/* torch always writes the 64-bit end record: 98 bytes before the end, its locator 42, the 32-bit record 22. */
static void numbers_of_64_bits_are_compared_like_others(void **state)
{
    (void)state;
    const uint64_t high = UINT64_C(1) << 63;
    static const uint64_t all = UINT64_MAX;
    const struct { size_t back, at; int bytes; uint64_t value; const char *words;
    } rows[] = {
        {98, 0, 4, 0, "no zip64 end record"},
        {98, 4, 8, 45, "no zip64 end record"},
        {98, 4, 8, all, "no zip64 end record"},
        {98, 16, 4, 1, "no zip64 end record"},
        {98, 24, 8, high, "no zip64 end record"},
        {98, 32, 8, high, "no zip64 end record"},
        {98, 40, 8, high, "differ"},
        {98, 48, 8, high, "differ"},
        {98, 48, 8, 0, "differ"},
        {42, 8, 8, high, "the zip64 locator points to byte 9223372036854775808"},
        {42, 8, 8, 0, "the zip64 locator points to byte 0"},
        {42, 4, 4, 1, "the zip64 locator"},
        {42, 16, 4, 2, "the zip64 locator"},
        {42, 0, 4, 0, "does not end at"},
        {22, 8, 4, 0x70007, "differ"},
        {22, 12, 4, 7, "differ"},
        {22, 16, 4, 7, "differ"},
        {22, 8, 4, UINT32_MAX, NULL},
        {22, 12, 8, all, NULL},
        {22, 12, 4, UINT32_MAX, NULL},
        {22, 16, 4, UINT32_MAX, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char bytes[sizeof torch_views];
        char what[80];
        memcpy(bytes, torch_views, sizeof bytes);
        set_number(bytes + sizeof bytes - rows[i].back + rows[i].at, rows[i].value, rows[i].bytes);
        snprintf(what, sizeof what, "row %zu", i);
        if (rows[i].words) refuse(what, bytes, sizeof bytes, rows[i].words);
        else if (parse(bytes, sizeof bytes) != LIMN_OK) fail_msg("%s: %s", what, limn_error_text(ctx));
    }
    static const struct {
        uint64_t size, stored, at;
        const char *words;
    } sizes[] = {{4, 4, 0, NULL},
                 {UINT64_MAX, UINT64_MAX, 0, "reach past"},
                 {UINT64_C(1) << 63, UINT64_C(1) << 63, 0, "reach past"},
                 {4, 4, UINT64_C(1) << 63, "reach past"},
                 {4, 4, UINT64_MAX - 3, "reach past"},
                 {5, 4, 0, "4 bytes make 5"},
                 {5, 5, 0, "they overlap"}};
    for (size_t i = 0; i < COUNT(sizes); i++) { /* the last 28 letters of the name become its zip64 field, in both headers */
        made_zip z = {0};
        zip_add(&z, "a/data.pkl............................", "\x80\2}.", 4);
        zip_add(&z, "a/version", "3", 1);
        zip_end(&z);
        for (int central = 0; central < 2; central++) {
            unsigned char *name_size = z.file.at + (central ? z.begin + 28 : 26),
                          *extra = z.file.at + (central ? z.begin + 46 : 30) + 10;
            set_number(name_size, 10, 2);
            set_number(name_size + 2, 28, 2);
            set_number(name_size - 8, UINT64_MAX, 8);
            if (central) set_number(z.file.at + z.begin + 42, UINT32_MAX, 4);
            set_number(extra, 24 << 16 | 1, 4);
            set_number(extra + 4, central ? sizes[i].size : 4, 8);
            set_number(extra + 12, central ? sizes[i].stored : 4, 8);
            set_number(extra + 20, sizes[i].at, 8);
        }
        if (sizes[i].words) refuse(sizes[i].words, z.file.at, z.file.n, sizes[i].words);
        else if (parse(z.file.at, z.file.n) != LIMN_OK) fail_msg("sizes in a zip64 field: %s", limn_error_text(ctx));
        zip_free(&z);
    }
}

static void bytes_beside_the_members_are_refused(void **state)
{
    (void)state;
    made_zip z = good_archive(), first = good_archive();
    put_text(&z.file, "x");
    refuse("a byte behind the end", z.file.at, z.file.n, "no end record");
    z.file.n--;
    put(&first.file, z.file.at, z.file.n);
    refuse("two archives in a row", first.file.at, first.file.n, "does not end at");
    made_bytes comment = {0};
    put(&comment, z.file.at, z.file.n);
    set_number(comment.at + comment.n - 2, 22, 2);
    put(&comment, z.file.at + z.file.n - 22, 22);
    refuse("an end record in the comment of another", comment.at, comment.n, "does not end at");
    made_zip hole = {0};
    zip_add(&hole, "a/data.pkl", "\x80\2}.", 4);
    put_text(&hole.file, "0123456789");
    zip_add(&hole, "a/version", "3", 1);
    zip_end(&hole);
    refuse("ten bytes between two members", hole.file.at, hole.file.n, "10 bytes between its end");
    zip_free(&z);
    zip_free(&first);
    zip_free(&hole);
    free(comment.at);
}

/* Archives of these names, each with the bytes of an empty dict; version is added. */
static void refuse_names(const char *const *names, const char *words)
{
    made_zip z = {0};
    for (; *names; names++) zip_add(&z, *names, "\x80\2}.", 4);
    zip_add(&z, "a/version", "3", 1);
    zip_end(&z);
    refuse(words, z.file.at, z.file.n, words);
    zip_free(&z);
}

static void exactly_one_pickle_is_needed(void **state)
{
    (void)state;
    refuse_names((const char *const[]){"a/data.pkl", "b/data.pkl", NULL}, "two data.pkl");
    refuse_names((const char *const[]){"a/data.pkl", "a/data.pkl", NULL}, "the name comes twice");
    refuse_names((const char *const[]){"a/DATA.PKL", NULL}, "without NAME/data.pkl");
    refuse_names((const char *const[]){"data.pkl", "a/data.pkl.bak", "a/b/data.pkl", NULL}, "without NAME/data.pkl");
    refuse_names((const char *const[]){"b/data.pkl", NULL}, "the member \"version\", found \"\"");
    refuse_names((const char *const[]){NULL}, "without NAME/data.pkl");
}

static void byte_order_and_version_are_respected(void **state)
{
    (void)state;
    static const struct {
        const char *order, *version, *words;
    } rows[] = {{"little", "3\n", NULL},
                {"little\n", "1", NULL},
                {"big", "3\n", "big-endian"},
                {"\x1b[1m", "3", "\\x1b[1m-endian"},
                {"little", "x", "found \"x\""},
                {"little", "", "found \"\""},
                {"little", "123", "found \"123\""},
                {"little little little", "3", "20 bytes, expected a few"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        made_zip z = {0};
        zip_add(&z, "a/data.pkl", "\x80\2}.", 4);
        zip_add(&z, "a/byteorder", rows[i].order, strlen(rows[i].order));
        zip_add(&z, "a/version", rows[i].version, strlen(rows[i].version));
        zip_end(&z);
        if (rows[i].words) refuse(rows[i].words, z.file.at, z.file.n, rows[i].words);
        else assert_int_equal(parse(z.file.at, z.file.n), LIMN_OK);
        zip_free(&z);
    }
}

static void a_bomb_is_refused_before_it_unpacks(void **state)
{
    (void)state;
    size_t n = 20 << 20;
    unsigned char *zeros = calloc(1, n);
    made_zip z = {0};
    zip_add_deflated(&z, "a/data.pkl", zeros, n);
    zip_add(&z, "a/version", "3", 1);
    zip_end(&z);
    refuse("20 MB of zeros", z.file.at, z.file.n, "at most 200 times as many are read");
    zip_free(&z);
    for (size_t i = 0; i < n; i += 100)
        zeros[i] = (unsigned char)limn_random_uniform(1, 0, i, 0); /* mostly zeros, about 100 to 1 */
    for (size_t i = 0; i < n; i += 500) zeros[i] = (unsigned char)(limn_random_uniform(1, 0, i, 0) * 256);
    z = (made_zip){0};
    zip_add_deflated(&z, "a/data.pkl", zeros, n);
    zip_add(&z, "a/version", "3", 1);
    zip_end(&z);
    if (z.file.n > n / 200) refuse("a pickle larger than its file", z.file.at, z.file.n, "data.pkl has 20971520 bytes");
    zip_free(&z);
    z = (made_zip){0};
    zip_put(&z, "a/data.pkl", "\3\0", 2, 100, 0, 8);
    zip_add(&z, "a/version", "3", 1);
    zip_end(&z);
    refuse("an empty stream for 100 bytes", z.file.at, z.file.n, "ends too early");
    free(zeros);
    zip_free(&z);
}

static void deflated_data_must_be_whole(void **state)
{
    (void)state;
    unsigned char text[300];
    for (int i = 0; i < 300; i++) text[i] = (unsigned char)(i * i / 7);
    made_zip good = {0};
    zip_add_deflated(&good, "x", text, 300);
    const unsigned char *packed = good.file.at + good.data[0];
    size_t n = good.file.n - good.data[0];
    unsigned char *longer = calloc(1, n + 1);
    memcpy(longer, packed, n);
    const struct {
        size_t stored, size;
        const char *words;
    } lies[] = {{n - 1, 300, "ends too early"},
                {n, 299, "unpacks to more bytes"},
                {n, 301, "ends too early"},
                {n + 1, 300, "does not end where"}};
    for (size_t i = 0; i < COUNT(lies); i++) {
        made_zip z = {0};
        zip_put(&z, "a/data.pkl", longer, lies[i].stored, lies[i].size,
                (uint32_t)crc32(0, text, (uInt)lies[i].size < 300 ? (uInt)lies[i].size : 300), 8);
        zip_add(&z, "a/version", "3", 1);
        zip_end(&z);
        refuse(lies[i].words, z.file.at, z.file.n, lies[i].words);
        zip_free(&z);
    }
    free(longer);
    zip_free(&good);
}

/* ---- damage ----------------------------------------------------------------------------------------------------------- */

static void every_cut_of_a_file_is_refused(void **state)
{
    (void)state;
    made_zip z = good_archive();
    for (size_t i = 0; i < z.file.n; i++) assert_int_equal(parse(z.file.at, i), LIMN_BAD_FILE);
    for (size_t i = 0; i < sizeof torch_checkpoint; i++) assert_int_equal(parse(torch_checkpoint, i), LIMN_BAD_FILE);
    memset(z.file.at, 0, z.file.n); /* as some file systems leave it after a loss of power */
    assert_int_equal(parse(z.file.at, z.file.n), LIMN_BAD_FILE);
    zip_free(&z);
}

/* All values of a file as one checksum; 0 when something of it is refused. */
static uint32_t values_of(const unsigned char *bytes, size_t n)
{
    limn_weight_file *st;
    char to[512];
    uLong crc = crc32(0, NULL, 0);
    limn_status status = limn_weight_file_parse(ctx, "t.pt", bytes, n, &st);
    for (size_t i = 0; status == LIMN_OK && i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        crc = crc32(crc, (const Bytef *)e->name, (uInt)strlen(e->name));
        crc = crc32(crc, (const Bytef *)e->dim, (uInt)((size_t)e->rank * sizeof *e->dim));
        status = limn_weight_file_load(ctx, st, e, to, e->dtype);
        if (status == LIMN_OK) crc = crc32(crc, (const Bytef *)to, (uInt)e->bytes);
    }
    limn_weight_file_close(st);
    assert_true(status == LIMN_OK || status == LIMN_BAD_FILE);
    return status == LIMN_OK ? (uint32_t)crc : 0;
}

static void a_flipped_bit_is_refused_or_changes_no_value(void **state)
{
    (void)state;
    unsigned char *bytes = malloc(sizeof torch_views);
    size_t refused = 0;
    memcpy(bytes, torch_views, sizeof torch_views);
    uint32_t good = values_of(bytes, sizeof torch_views);
    assert_int_not_equal(good, 0);
    for (size_t i = 0; i < sizeof torch_views; i++) {
        bytes[i] ^= (unsigned char)(1u << i % 8);
        uint32_t now = values_of(bytes, sizeof torch_views);
        if (now && now != good) fail_msg("bit %zu of byte %zu changes values in silence", i % 8, i);
        refused += !now;
        bytes[i] ^= (unsigned char)(1u << i % 8);
    }
    assert_true(refused > sizeof torch_views / 2);
    free(bytes);
}

static void a_damaged_storage_is_named_when_its_tensor_loads(void **state)
{
    (void)state;
    made_bytes p = one_tensor((made_tensor)F(0, 1, {24}, {1}));
    limn_weight_file *st;
    float to[24];
    bool known;
    pickle_text(&p, "b");
    pickle_tensor(&p, (made_tensor){"FloatStorage", "1", 2, 0, 1, {2}, {1}});
    put_text(&p, "s");
    made_zip z = archive_of(p.at, p.n);
    z.file.at[z.data[1] + 50] ^= 4;
    assert_int_equal(limn_weight_file_parse(ctx, "t.pt", z.file.at, z.file.n, &st), LIMN_OK); /* only headers are read */
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "b"), to, LIMN_F32), LIMN_OK);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "a"), to, LIMN_F32), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "zip member \"archive/data/0\": damaged"));
    assert_int_equal(limn_weight_file_check(ctx, st, &known), LIMN_BAD_FILE);
    limn_weight_file_close(st);
    zip_free(&z);
    free(p.at);
}

static void other_kinds_of_files_are_told_apart(void **state)
{
    (void)state;
    unsigned char tar[600] = "sys_info";
    memcpy(tar + 257, "ustar", 5);
    refuse("torch 0.1.10", tar, sizeof tar, "a tar archive, as torch 0.1.10 and before saved");
    refuse("protocol 4", torch_protocol_4, sizeof torch_protocol_4, "pickle protocol 4");
    refuse("a module", torch_module, sizeof torch_module, "\"torch.nn.modules.linear.Linear\", which the state_dict()");
    refuse("a pickle", "\x80\4\x95\x10\0\0\0\0\0\0\0", 11, "a bare pickle");
    refuse("GGUF", "GGUF\3\0\0\0\1\0\0\0", 12, "byte 8 of the GGUF header: 8 bytes should follow, 4 are left");
    refuse("an empty archive", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "no member begins at byte 0");
}

/* ---- before torch 1.6 ------------------------------------------------------------------------------------------------- */

static const char *const old_keys[] = {"0", "1"};

/* Storages "0" of 24 floats and "1" of 8 bytes, a tensor of each; or another pickle. */
static made_bytes old_file(const made_bytes *pickle, bool little, int n_keys, const char *const *keys)
{
    made_bytes p = {0}, f = {0};
    if (!pickle) {
        put_text(&p, "}(");
        pickle_text(&p, "a");
        pickle_old_tensor(&p, (made_tensor){"FloatStorage", "0", 24, 0, 1, {24}, {1}}, NULL, 0, 0);
        pickle_text(&p, "b");
        pickle_old_tensor(&p, (made_tensor){"ByteStorage", "1", 8, 1, 1, {3}, {2}}, NULL, 0, 0);
        put_text(&p, "u");
    }
    old_begin(&f, little, pickle ? pickle : &p, n_keys, keys);
    old_storage(&f, 24, 4), old_storage(&f, 8, 1);
    free(p.at);
    return f;
}

static void refuse_old(made_bytes f, const char *words)
{
    refuse("a file before torch 1.6", f.at, f.n, words);
    if (!strstr(limn_error_text(ctx), "t.pt: byte ") || !strstr(limn_error_text(ctx), "nothing was executed"))
        fail_msg("%s", limn_error_text(ctx));
    free(f.at);
}

static void files_before_1_6_must_hold_what_they_say(void **state)
{
    (void)state;
    enum { STORAGES = 8 + 96 + 8 + 8 };
    static const char *const lists[][3] = {{"0", "2"}, {"0", "0"}, {"0", "\x1b"}};
    made_bytes f = old_file(NULL, true, 2, old_keys);
    assert_int_equal(parse(f.at, f.n), LIMN_OK);
    for (size_t i = 0; i < f.n; i++) assert_int_equal(parse(f.at, i), LIMN_BAD_FILE);
    put_text(&f, "x"), refuse_old(f, "1 bytes follow its storages");
    f = old_file(NULL, true, 2, old_keys), f.at[OLD_MAGIC - 1] = 'N', refuse_old(f, "the magic number does not end");
    f = old_file(NULL, true, 2, old_keys), f.at[OLD_HEAD - 3]++, refuse_old(f, "expected the number 1001 of its format");
    f = old_file(NULL, true, 2, old_keys), f.at[OLD_HEAD + 40] = 'q', refuse_old(f, "does not say little_endian");
    refuse_old(old_file(NULL, false, 2, old_keys), "its numbers are big-endian");
    refuse_old(old_file(NULL, true, 1, old_keys), "storage \"1\" is not among those listed");
    refuse_old(old_file(NULL, true, 2, lists[0]), "storage \"2\" is listed, and belongs to no tensor");
    refuse_old(old_file(NULL, true, 2, lists[1]), "storage \"0\" is listed twice");
    refuse_old(old_file(NULL, true, 2, lists[2]), "storage \"\\x1b\" is listed");
    f = old_file(NULL, true, 2, old_keys), set_number(f.at + f.n - STORAGES, 25, 8);
    refuse_old(f, "storage \"0\" of 25 elements, its tensors speak of 24");
    f = old_file(NULL, true, 2, old_keys), set_number(f.at + f.n - STORAGES, UINT64_MAX, 8);
    refuse_old(f, "of 18446744073709551615 elements");
    f = old_file(NULL, true, 2, old_keys), f.n -= 1, refuse_old(f, "storage \"1\" has 8 bytes where 7 are left");
    f = old_file(NULL, true, 2, old_keys), f.n -= 9, refuse_old(f, "8 bytes are needed for storage \"1\" where 7 are left");
    f = old_file(NULL, true, 2, old_keys), f.at[f.n - STORAGES - 16] = '}';
    refuse_old(f, "items for something that is not a list");
}

/* Two tensors, the first in storage "0" of 24 floats. */
static void refuse_pair(made_tensor second, const char *view, int64_t first, int64_t n, const char *words)
{
    made_bytes p = {0};
    put_text(&p, "}(");
    pickle_text(&p, "a");
    pickle_old_tensor(&p, (made_tensor){"FloatStorage", "0", 24, 0, 1, {2}, {1}}, "v", 3, 5);
    pickle_text(&p, "b");
    pickle_old_tensor(&p, second, view, first, n);
    put_text(&p, "u");
    refuse_old(old_file(&p, true, 2, old_keys), words);
    free(p.at);
}

static void storages_before_1_6_are_told_once_and_views_lie_inside(void **state)
{
    (void)state;
    static const made_tensor same = {"FloatStorage", "0", 24, 0, 1, {2}, {1}};
    refuse_pair((made_tensor){"FloatStorage", "0", 25, 0, 1, {2}, {1}}, NULL, 0, 0, "\"0\" is another here than before");
    refuse_pair((made_tensor){"IntStorage", "0", 24, 0, 1, {2}, {1}}, NULL, 0, 0, "\"0\" is another here than before");
    refuse_pair(same, "v", 3, 6, "\"v\" is another here than before");
    refuse_pair(same, "v", 2, 5, "\"v\" is another here than before");
    refuse_pair((made_tensor){"FloatStorage", "v", 5, 0, 1, {2}, {1}}, NULL, 0, 0, "\"v\" is another here than before");
    refuse_pair(same, "w", 20, 5, "a view of storage \"0\"");
    refuse_pair(same, "w", -1, 5, "a view of storage \"0\"");
    refuse_pair(same, "w", INT64_MAX, 1, "a view of storage \"0\"");
    refuse_pair(same, "w", 20, 1, "a tensor whose last element is element 1 of a storage of 1");
    refuse_pair((made_tensor){"FloatStorage", "1", INT64_MAX, 0, 1, {2}, {1}}, NULL, 0, 0, "storage \"1\" of 9223372036854");
    refuse_pair((made_tensor){"FloatStorage", "1", -1, 0, 1, {2}, {1}}, NULL, 0, 0, "storage \"1\" of -1 elements");
    made_bytes p = {0};
    put_text(&p, "cos\nsystem\n");
    refuse_old(old_file(&p, true, 2, old_keys), "it asks for the Python object \"os.system\"");
    p.n = 0, pickle_tensor(&p, same);
    refuse_old(old_file(&p, true, 2, old_keys), "other than (\"storage\", type, key, location, elements, view)");
    p.n = 0, put_text(&p, "("), pickle_text(&p, "module"), put_text(&p, "NNNtQ");
    refuse_old(old_file(&p, true, 2, old_keys), "a persistent id other than");
    free(p.at);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static void a_hostile_pickle_costs_at_most_its_size_and_16_MB(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        size_t n;
    } rows[] = {{"}", 900000}, {"N\x85", 3000000}, {"NNNN\x85\x86\x87", 900000}, {"]h\0a", 900000}, {"}h\0h\0s", 900000}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        made_bytes p = repeated("]q", "\0(", 2, 1), many = repeated("", rows[i].piece,
                                                                    i == 3   ? 4
                                                                    : i == 4 ? 6
                                                                             : strlen(rows[i].piece),
                                                                    rows[i].n);
        put(&p, many.at, many.n);
        put_text(&p, "t");
        made_zip z = archive_of(p.at, p.n);
        pid_t child = fork();
        if (child == 0) {
            FILE *f = fopen("/proc/self/statm", "r");
            size_t pages = 0;
            if (!f || fscanf(f, "%zu", &pages) != 1) _exit(3);
#if !defined(__SANITIZE_ADDRESS__)
            size_t most = pages * 4096 + z.file.n + (17u << 20); /* beside 256 kB to read through */
            setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
#endif
            limn_weight_file *st;
            limn_status status = limn_weight_file_parse(ctx, "t.pt", z.file.at, z.file.n, &st);
            if (status != LIMN_BAD_FILE)
                fprintf(stderr, "row %zu: %s: %s\n", i, limn_status_name(status), limn_error_text(ctx));
            _exit(status == LIMN_BAD_FILE ? 0 : 1);
        }
        int code;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_int_equal(code, 0);
        zip_free(&z);
        free(p.at);
        free(many.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_objects_of_state_dicts_are_known),
        cmocka_unit_test(what_checkpoints_hold_beside_tensors_is_dropped),
        cmocka_unit_test(nesting_doubling_and_piling_up_end_in_a_sentence),
        cmocka_unit_test(every_element_of_a_tensor_lies_in_its_storage),
        cmocka_unit_test(tensors_may_share_a_storage_that_all_of_them_describe_alike),
        cmocka_unit_test(a_tensor_needs_the_arguments_that_torch_gives_it),
        cmocka_unit_test(a_directory_that_lies_is_refused),
        cmocka_unit_test(numbers_of_64_bits_are_compared_like_others),
        cmocka_unit_test(bytes_beside_the_members_are_refused),
        cmocka_unit_test(exactly_one_pickle_is_needed),
        cmocka_unit_test(byte_order_and_version_are_respected),
        cmocka_unit_test(a_bomb_is_refused_before_it_unpacks),
        cmocka_unit_test(deflated_data_must_be_whole),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(a_flipped_bit_is_refused_or_changes_no_value),
        cmocka_unit_test(a_damaged_storage_is_named_when_its_tensor_loads),
        cmocka_unit_test(other_kinds_of_files_are_told_apart),
        cmocka_unit_test(files_before_1_6_must_hold_what_they_say),
        cmocka_unit_test(storages_before_1_6_are_told_once_and_views_lie_inside),
        cmocka_unit_test(a_hostile_pickle_costs_at_most_its_size_and_16_MB),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}
