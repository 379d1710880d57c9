/* check_ran.c: a check that ran nothing fails.
 *
 * Every op has cases and numbers of PyTorch (its own, or in the gradient of an op that has them), or a written reason for
 * none, and every kernel took a case with every set of inner loops that this CPU has.  What the CPU has is asked of Linux,
 * not of the code that is being checked: a kernel that refuses everything, and says that the CPU is to blame, is found out.
 * What the CPU lacks is skipped, and said. */
#include "check.h"

#include <string.h>

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

int check_count_cases(limn_op op, bool with_grad)
{
    int n = 0;
    for (const check_case *k = check_cases; k->proves; k++) n += k->op == op && (!with_grad || check_has_grad(k));
    return n;
}

/* ---- what this machine has ------------------------------------------------------------------------------------------ */

/* Flags of /proc/cpuinfo (on ARM its Features) that a kernel, or inner loops, of such a name need; the first name that fits
 * counts. */
static const struct { const char *name, *flags; } needs[] = {
    {"amx", "amx_tile amx_bf16 avx512_bf16"},
    {"avx512bf16", "avx512f avx512bw avx512dq avx512vl avx512_bf16"},
    {"avx512", "avx512f avx512bw avx512dq avx512vl"},
    {"avx2", "avx2 fma"},
    {"neon", "asimd"},
    {"int16", "avx2 fma"},
};
enum { N_NEEDS = sizeof needs / sizeof *needs };

/* Number of the row above; N_NEEDS: any CPU will do. */
static int need_of(const char *name)
{
    int i = 0;
    while (i < N_NEEDS && !strstr(name, needs[i].name)) i++;
    return i;
}

static bool cpu_says(const char *flag, size_t n)
{
    char line[8192] = "";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof line, info) && strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0)
        line[0] = '\0';
    if (info) fclose(info);
    for (const char *at = line; *at; at += strspn(at, " \t\n")) {
        size_t length = strcspn(at, " \t\n");
        if (length == n && memcmp(at, flag, n) == 0) return true;
        at += length;
    }
    return false;
}

static bool system_permits_tiles(void)
{
#if defined(__x86_64__) && defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0;
#else
    return false;
#endif
}

/* NULL: what has this name can run here.  Else why not. */
static const char *lacks(const char *name, char text[64])
{
    int need = need_of(name);
    if (need == N_NEEDS) return NULL;
    for (const char *flag = needs[need].flags; *flag; flag += strspn(flag, " ")) {
        size_t n = strcspn(flag, " ");
        snprintf(text, 64, "this CPU has no %.*s", (int)n, flag);
        if (!cpu_says(flag, n)) return text;
        flag += n;
    }
    return strcmp(needs[need].name, "amx") == 0 && !system_permits_tiles() ? "Linux does not permit tile registers" : NULL;
}

/* ---- what ran ------------------------------------------------------------------------------------------------------- */

void check_ran(check *c, limn_op op, int kernel, int rows)
{
    c->ran[op][kernel][rows] = true;
}

static void skip(check *c, const char *what, const char *name, const char *why)
{
    printf("SKIP %s, %s: %s\n", what, name, why);
    c->n_skipped++;
}

/* A kernel that is named by its instruction set chooses the inner loops itself; integers are not in all of them. */
static bool runs_on(const char *name, const limn_rows *rows)
{
    if (strstr(name, "int16")) return rows->int16.rows > 0;
    return need_of(name) == N_NEEDS;
}

/* With each set of inner loops. */
static void kernel_has_run(check *c, limn_op op, int i, const char *name)
{
    bool ref = strcmp(name, "ref") == 0, any = false;
    check_case told = {.op = op, .proves = name};
    char text[64];
    const char *why = ref ? NULL : lacks(name, text);
    for (int r = 0; check_rows(r); r++) any = any || c->ran[op][i][r];
    if (!any && why) skip(c, limn_op_name(op), name, why);
    else if (!any) check_fail(c, &told, "took no case in tests/check_cases.c");
    else c->n_passed++;
    for (int r = 0; any && !ref && check_rows(r) && check_rows(r)->isa != LIMN_ISA_AMX; r++)
        if (runs_on(name, check_rows(r)) && !c->ran[op][i][r])
            check_fail(c, &told, "took no case with the inner loops %s", check_rows(r)->name);
}

static void kernels_have_run(check *c, limn_op op)
{
    const limn_kernel *kernel;
    for (int i = 0; (kernel = limn_cpu_kernel(op, i)); i++) {
        const char *name = kernel == limn_ref_kernel(op, 0) ? "ref" : kernel->name;
        if (!c->kernel || strcmp(c->kernel, name) == 0) kernel_has_run(c, op, i, name);
    }
}

static void loops_are_whole(check *c)
{
#if defined(__aarch64__)
    static const char *const names[] = {"portable", "neon"};
#else
    static const char *const names[] = {"portable", "avx2", "avx512", "avx512bf16", "amx"};
#endif
    check_case told = {.op = LIMN_OP_CHAIN, .proves = "inner loops of this CPU"};
    char text[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *why = lacks(names[i], text);
        bool found = false;
        for (int r = 0; check_rows(r); r++) found = found || strcmp(check_rows(r)->name, names[i]) == 0;
        if (!found && why) skip(c, "inner loops", names[i], why);
        else if (!found) check_fail(c, &told, "%s are missing, though the CPU has what they need", names[i]);
        else c->n_passed++;
    }
}

/* A new op without a row in check_cases.c fails here by its name. */
void check_nothing_is_forgotten(check *c)
{
    bool grad = strcmp(c->mode, "grad") == 0, whole = !c->precision && !c->backend;
    for (int op = 0; op < LIMN_N_OPS; op++) {
        if (!check_wanted(c, op) || limn_op_find(op)->never_runs || (grad && !limn_op_find(op)->grad)) continue;
        check_case missing = {.op = op, .proves = grad ? "has a gradient rule" : "has kernels"};
        if (check_count_cases(op, grad) == 0) check_fail(c, &missing, "no case in tests/check_cases.c");
        else if (!grad && !check_n_vectors(op) && !check_n_vector_gradients(c, op) && !limn_op_find(op)->no_vectors)
            check_fail(c, &missing,
                       "no numbers of PyTorch in tests/vectors/ops.h, and no reason for that in its row");
        else c->n_passed++;
        if (!grad && whole && limn_ref_kernel(op, 0)) kernels_have_run(c, op);
    }
    if (!grad && whole) loops_are_whole(c);
}
