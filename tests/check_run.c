/* check_run.c: one case through every kernel that takes it: storage types, instruction sets, thread counts. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, N_THREADS = 2 }; /* bytes before and after each buffer that a kernel writes */

const limn_rows *check_rows(int i)
{
#if defined(__x86_64__)
    static const limn_rows *const rows[] = {&limn_rows_portable, &limn_rows_avx2, &limn_rows_avx512, &limn_rows_avx512bf16,
                                            &limn_rows_amx};
#elif defined(__aarch64__)
    static const limn_rows *const rows[] = {&limn_rows_portable, &limn_rows_neon};
#else
    static const limn_rows *const rows[] = {&limn_rows_portable};
#endif
    return i < (int)(sizeof rows / sizeof *rows) && !limn_isa_refuse(rows[i]->isa) ? rows[i] : NULL;
}

/* ---- guarded memory ------------------------------------------------------------------------------------------------- */

static unsigned char *guarded(size_t bytes)
{
    unsigned char *block = limn_alloc_aligned(bytes + 2 * GUARD);
    if (!block) abort();
    memset(block, 0xff, bytes + 2 * GUARD); /* NaN in every float type: nobody may count on zeros */
    return block + GUARD;
}

static bool guards_whole(const unsigned char *data, size_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        if (data[-1 - i] != 0xff || data[bytes + (size_t)i] != 0xff) return false;
    return true;
}

static void guarded_free(unsigned char *data)
{
    if (data) limn_free_aligned(data - GUARD);
}

/* ---- one run -------------------------------------------------------------------------------------------------------- */

/* As a plan does it: prepare, pack, scratch, run, release.  @return NULL, or what went wrong */
static const char *run_kernel(limn_ctx *ctx, const limn_kernel *kernel, limn_call call)
{
    const char *wrong = NULL;
    if (kernel->prepare && kernel->prepare(ctx, &call) != LIMN_OK) return limn_error_text(ctx);
    size_t packed_bytes = kernel->packed_bytes ? kernel->packed_bytes(&call) : 0;
    unsigned char *packed = packed_bytes ? guarded(packed_bytes) : NULL;
    if (packed) {
        if (kernel->pack(&call, &call.src[kernel->pack_src], packed) != LIMN_OK) wrong = "fails to pack";
        call.src[kernel->pack_src].data = packed;
    }
    size_t scratch_bytes = kernel->scratch_bytes ? kernel->scratch_bytes(&call) : 0;
    unsigned char *scratch = guarded(scratch_bytes);
    call.scratch = scratch;
    if (!wrong && kernel->open && kernel->open(ctx, &call) != LIMN_OK) wrong = "fails to open";
    if (!wrong && kernel->run(&call) != LIMN_OK) wrong = "fails";
    if (kernel->close) kernel->close(&call);
    if (!wrong && !guards_whole(call.dst.data, limn_view_bytes(&call.dst))) wrong = "writes outside its result";
    if (!wrong && !guards_whole(scratch, scratch_bytes)) wrong = "writes outside its scratch";
    if (!wrong && packed && !guards_whole(packed, packed_bytes)) wrong = "writes outside its packed weight";
    if (kernel->release) kernel->release(&call);
    guarded_free(scratch);
    guarded_free(packed);
    return wrong;
}

/* In double, whose result is not guarded. */
static void run_reference(limn_call call)
{
    const limn_kernel *ref = limn_ref_kernel(call.op, 0);
    size_t bytes = ref->scratch_bytes ? ref->scratch_bytes(&call) : 0;
    unsigned char *scratch = guarded(bytes);
    call.scratch = scratch;
    ref->run(&call);
    if (!guards_whole(scratch, bytes)) abort();
    guarded_free(scratch);
}

/* ---- storage types -------------------------------------------------------------------------------------------------- */

typedef struct storage {
    const char *name;
    limn_dtype even, odd, dst; /* of sources 0, 2, ..., of 1, 3, ..., of the result */
} storage;

static const storage storages[] = {
    {"f32", LIMN_F32, LIMN_F32, LIMN_F32},
    {"bf16", LIMN_BF16, LIMN_BF16, LIMN_BF16},
    {"bf16 to f32", LIMN_BF16, LIMN_BF16, LIMN_F32},
    {"f32 to bf16", LIMN_F32, LIMN_F32, LIMN_BF16},
    {"f32 and bf16 to f32", LIMN_F32, LIMN_BF16, LIMN_F32},
    {"bf16 and f32 to bf16", LIMN_BF16, LIMN_F32, LIMN_BF16},
};
enum { N_STORAGES = sizeof storages / sizeof *storages };

/* The sources of a case in one storage, and the same values in double. */
typedef struct operands {
    limn_view stored[LIMN_MAX_SRC], wide[LIMN_MAX_SRC];
    void *block[LIMN_MAX_SRC];
} operands;

static void operands_make(operands *o, const check_case *k, const double *const *values, const storage *types)
{
    memset(o, 0, sizeof *o);
    for (int s = 0; s < k->n_src; s++) {
        int64_t n = limn_shape_count(&k->src[s]);
        bool ids = check_domain(k->op, s) == LIMN_IDS;
        limn_dtype dtype = ids ? LIMN_I32 : s % 2 ? types->odd : types->even;
        double *wide = malloc((size_t)n * sizeof *wide);
        o->block[s] = limn_alloc_aligned((size_t)n * limn_dtype_bytes(dtype));
        if (!wide || !o->block[s]) abort();
        o->stored[s] = (limn_view){dtype, k->src[s], o->block[s]};
        o->wide[s] = (limn_view){ids ? LIMN_I32 : LIMN_F64, k->src[s], wide};
        for (int64_t i = 0; i < n; i++) {
            limn_put(&o->stored[s], i, values[s][i]);
            if (dtype == LIMN_I32) continue;
            wide[i] = limn_get(&o->stored[s], i);
            if (fabs(wide[i]) < FLT_MIN) wide[i] = copysign(0, wide[i]); /* a plan flushes denormals */
        }
        if (dtype == LIMN_I32) memcpy(wide, o->block[s], (size_t)n * sizeof(int32_t));
    }
}

static void operands_free(operands *o)
{
    for (int s = 0; s < LIMN_MAX_SRC; s++) {
        limn_free_aligned(o->block[s]);
        free(o->wide[s].data);
    }
}

/* ---- one storage ---------------------------------------------------------------------------------------------------- */

typedef struct job {
    check *c;
    const check_case *k;
    const storage *types;
    limn_call call;       /* stored sources */
    check_result result;  /* what the reference gives */
    check_result rounded; /* the same of a product whose operands are rounded to bf16 first; wanted NULL: no other */
} job;

/* As the reference says of the operands as they are stored, or of all of them in bf16: not of some mixture. */
static int64_t compare(job *j, const limn_kernel *kernel, const limn_view *found)
{
    j->result.kernel = j->rounded.kernel = kernel;
    int64_t at = check_compare(&j->result, found);
    return at >= 0 && j->rounded.wanted && check_compare(&j->rounded, found) < 0 ? -1 : at;
}

/* One kernel with one set of inner loops: right, and the same bits on one thread and on two. */
static void one_kernel(job *j, const limn_kernel *kernel)
{
    const char *loops = j->call.rows->name;
    size_t bytes = limn_view_bytes(&j->call.dst);
    unsigned char *dst[N_THREADS] = {NULL};
    bool fine = true;
    int n = kernel == limn_ref_kernel(j->k->op, 0) ? 1 : N_THREADS; /* the reference has one thread */
    for (int t = 0; t < n; t++) {
        limn_call call = j->call;
        call.n_threads = t + 1;
        call.dst.data = dst[t] = guarded(bytes);
        const char *wrong = run_kernel(j->c->ctx, kernel, call);
        int64_t at = wrong ? -1 : compare(j, kernel, &call.dst);
        if (wrong) check_fail(j->c, j->k, "%s %s, %s, %d threads: %s", kernel->name, loops, j->types->name, t + 1, wrong);
        else if (at >= 0)
            check_fail(j->c, j->k, "%s %s, %s, %d threads: element %lld is %.9g, expected %.9g", kernel->name, loops,
                       j->types->name, t + 1, (long long)at, limn_get(&call.dst, at), j->result.wanted[at]);
        fine = fine && !wrong && at < 0;
    }
    if (fine && n > 1 && !kernel->sums_by_threads && memcmp(dst[0], dst[1], bytes) != 0) {
        check_fail(j->c, j->k, "%s %s, %s: one thread and two give other bits", kernel->name, loops, j->types->name);
        fine = false;
    }
    j->c->n_passed += fine;
    for (int t = 0; t < N_THREADS; t++) guarded_free(dst[t]);
}

/* Where a kernel says that its result may be the memory of a source, it gives the same bits there. */
static void in_place(job *j, const limn_kernel *kernel, int s)
{
    size_t bytes = limn_view_bytes(&j->call.dst);
    limn_call apart = j->call, same = j->call;
    apart.n_threads = same.n_threads = N_THREADS;
    unsigned char *dst = guarded(bytes), *both = guarded(bytes);
    memcpy(both, j->call.src[s].data, bytes);
    apart.dst.data = dst;
    same.src[s].data = same.dst.data = both;
    const char *wrong = run_kernel(j->c->ctx, kernel, apart);
    if (!wrong) wrong = run_kernel(j->c->ctx, kernel, same);
    if (!wrong && memcmp(dst, both, bytes) != 0) wrong = "other bits than apart";
    if (wrong)
        check_fail(j->c, j->k, "%s %s, %s, in the memory of source %d: %s", kernel->name, j->call.rows->name, j->types->name,
                   s, wrong);
    else j->c->n_passed++;
    guarded_free(dst);
    guarded_free(both);
}

static bool may_be_in_place(const limn_call *call, const limn_kernel *kernel, int s)
{
    return kernel->in_place && call->src[s].dtype == call->dst.dtype &&
           limn_shape_equal(&call->src[s].shape, &call->dst.shape) && kernel->in_place(call, s);
}

static bool is_wanted(const check *c, const limn_kernel *kernel, const limn_kernel *ref)
{
    if (c->kernel && strcmp(c->kernel, kernel == ref ? "ref" : kernel->name) != 0) return false;
    return !c->backend || (strcmp(c->backend, "ref") == 0) == (kernel == ref);
}

/* Does a kernel that --kernel names take these types?  Else the reference need not run. */
static bool is_taken(const job *j)
{
    const limn_kernel *kernel, *ref = limn_ref_kernel(j->k->op, 0);
    for (int i = 0; (kernel = limn_cpu_kernel(j->k->op, i)); i++) {
        limn_call call = j->call;
        if (!is_wanted(j->c, kernel, ref)) continue;
        for (int r = 0; (call.rows = check_rows(r)); r++)
            if (!kernel->refuse || !kernel->refuse(&call)) return true;
    }
    return false;
}

/* The loops of AMX are those before them: only what refuses those, for it is on tiles, runs anew. */
static bool has_same_loops(const limn_kernel *kernel, const limn_call *call, int r)
{
    limn_call before = *call;
    if (call->rows->isa != LIMN_ISA_AMX) return false;
    before.rows = check_rows(r - 1);
    return !kernel->refuse || !kernel->refuse(&before);
}

static void all_kernels(job *j)
{
    const limn_kernel *kernel, *ref = limn_ref_kernel(j->k->op, 0);
    for (int i = 0; (kernel = limn_cpu_kernel(j->k->op, i)); i++) {
        if (!is_wanted(j->c, kernel, ref)) continue;
        for (int r = 0; check_rows(r) && (kernel != ref || r == 0); r++) {
            j->call.rows = check_rows(r);
            if (kernel->refuse && kernel->refuse(&j->call)) continue;
            if (has_same_loops(kernel, &j->call, r)) continue;
            check_ran(j->c, j->k->op, i, r);
            one_kernel(j, kernel);
            for (int s = 0; s < j->k->n_src; s++)
                if (may_be_in_place(&j->call, kernel, s)) in_place(j, kernel, s);
        }
    }
}

/* An elementwise function of NaN is NaN, if not its gradient: diverged training must show. */
static bool hides_nan(const check_result *r)
{
    bool special = r->k->values == VALUES_SPECIAL || r->k->values == VALUES_SPECIAL_NORMAL;
    for (int64_t i = 0; special && limn_op_find(r->k->op)->grad && i < r->n; i++)
        for (int s = 0; s < r->k->n_src; s++)
            if (isnan(r->src[s][i]) && !isnan(r->wanted[i])) return true;
    return false;
}

/* Does a kernel of this storage multiply in bf16, and must it round an operand for that? */
static bool rounds_operands(const check_case *k, const storage *types)
{
    limn_multiplies by = limn_op_find(k->op)->multiplies;
    bool half = types->even == LIMN_BF16 || types->dst == LIMN_BF16 || (by == LIMN_BY_VALUES && types->odd == LIMN_BF16);
    return by && half && (types->even != LIMN_BF16 || types->odd != LIMN_BF16);
}

static double *reference_of(const job *j, const operands *o)
{
    double *wanted = malloc((size_t)j->result.n * sizeof *wanted);
    if (!wanted) abort();
    limn_call call = j->call;
    call.dst = (limn_view){LIMN_F64, j->result.shape, wanted};
    memcpy(call.src, o->wide, sizeof o->wide);
    run_reference(call);
    return wanted;
}

static void round_operands(const operands *o)
{
    for (int s = 0; s < 2; s++) {
        double *x = o->wide[s].data;
        for (int64_t i = 0; i < limn_shape_count(&o->wide[s].shape); i++) {
            uint16_t half;
            limn_view bf16 = {LIMN_BF16, LIMN_SHAPE(1), &half};
            limn_put(&bf16, 0, x[i]);
            x[i] = limn_get(&bf16, 0);
        }
    }
}

static void one_storage(check *c, const check_case *k, const limn_node *node, const double *const *values,
                        const storage *types)
{
    operands o, halves;
    operands_make(&o, k, values, types);
    job j = {.c = c, .k = k, .types = types};
    j.call = (limn_call){.op = k->op, .attr = &node->attr, .n_src = k->n_src, .dst = {types->dst, node->shape, NULL}};
    j.result = (check_result){.k = k, .dst_dtype = types->dst, .shape = node->shape, .n = limn_node_count(node)};
    for (int s = 0; s < k->n_src; s++) {
        j.call.src[s] = o.stored[s];
        j.result.src[s] = o.wide[s].data;
        j.result.src_dtype[s] = o.stored[s].dtype;
    }
    if (c->kernel && !is_taken(&j)) {
        operands_free(&o);
        return;
    }
    double *wanted = reference_of(&j, &o), *rounded = NULL;
    j.result.wanted = wanted;
    if (hides_nan(&j.result)) check_fail(c, k, "the reference makes a number of NaN");
    if (rounds_operands(k, types)) {
        operands_make(&halves, k, values, types);
        round_operands(&halves);
        j.rounded = j.result;
        for (int s = 0; s < k->n_src; s++) j.rounded.src[s] = halves.wide[s].data;
        j.rounded.wanted = rounded = reference_of(&j, &halves);
    }
    all_kernels(&j);
    if (rounded) operands_free(&halves);
    free(rounded);
    free(wanted);
    operands_free(&o);
}

/* ---- the reference itself, beside numbers of PyTorch ------------------------------------------------------------------ */

static void reference_in_double(check *c, const check_case *k, const limn_node *node, const double *const *values,
                                const double *y, double tolerance)
{
    operands o;
    operands_make(&o, k, values, &(storage){"f64", LIMN_F64, LIMN_F64, LIMN_F64});
    int64_t n = limn_node_count(node);
    double *found = malloc((size_t)n * sizeof *found);
    if (!found) abort();
    limn_call call = {.op = k->op, .attr = &node->attr, .n_src = k->n_src, .dst = {LIMN_F64, node->shape, found}};
    for (int s = 0; s < k->n_src; s++) call.src[s] = o.wide[s];
    run_reference(call);
    int64_t at = -1;
    for (int64_t i = 0; i < n && at < 0; i++)
        if (!(fabs(found[i] - y[i]) <= tolerance * fmax(1, fabs(y[i])))) at = i;
    if (at >= 0) check_fail(c, k, "reference: element %lld is %.12g, PyTorch gives %.12g", (long long)at, found[at], y[at]);
    else c->n_passed++;
    free(found);
    operands_free(&o);
}

void check_test(check *c, const check_case *k, const double *const *src, const double *y, bool single)
{
    limn_graph *g;
    limn_node *node = check_build(c, k, &g);
    if (!node) return;
    double *made[LIMN_MAX_SRC] = {0};
    const double *values[LIMN_MAX_SRC] = {0};
    for (int s = 0; s < k->n_src; s++) values[s] = src ? src[s] : (made[s] = check_make_values(k, s));
    bool runs = limn_ref_kernel(k->op, 0); /* a VIEW is an alias: --mode grad runs it inside a plan */
    if (runs && y && (!c->backend || strcmp(c->backend, "ref") == 0))
        reference_in_double(c, k, node, values, y, single ? 0x1p-21 : 1e-11); /* vectors have 13 digits */
    limn_floats floats;
    limn_floats_begin(&floats, N_THREADS);
    for (int t = 0; runs && t < N_STORAGES; t++)
        if (!c->precision || (strcmp(c->precision, "f32") == 0) == (t == 0)) one_storage(c, k, node, values, &storages[t]);
    limn_floats_end(&floats);
    for (int s = 0; s < k->n_src; s++) free(made[s]);
    limn_graph_free(g);
}
