/* check_main.c: limn-check --mode test|grad|bench|list [--op NAME] [--precision f32|bf16] [--backend cpu|ref] [--kernel
 * NAME] */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool check_wanted(const check *c, limn_op op)
{
    return !c->op || strcmp(c->op, limn_op_name(op)) == 0;
}

void check_fail(check *c, const check_case *k, const char *format, ...)
{
    c->n_failed++;
    if (c->last_op == k->op && c->last_proves == k->proves) return; /* one line per case */
    c->last_op = k->op, c->last_proves = k->proves;
    va_list args;
    va_start(args, format);
    printf("%sFAILED%s %s, %s: ", c->colour ? "\033[31m" : "", c->colour ? "\033[0m" : "", limn_op_name(k->op), k->proves);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static void list_kernels(limn_op op)
{
    const limn_kernel *kernel;
    for (int i = 0; (kernel = limn_cpu_kernel(op, i)); i++)
        printf("%s%s", i ? ", " : "", kernel == limn_ref_kernel(op, 0) ? "ref" : kernel->name);
}

static void list(const check *c)
{
    printf("%-24s %5s %8s %5s  %s\n", "op", "cases", "PyTorch", "grad", "kernels");
    for (int op = 0; op < LIMN_N_OPS; op++) {
        if (!check_wanted(c, op)) continue;
        printf("%-24s %5d %8d %5s  ", limn_op_name(op), check_count_cases(op, false), check_n_vectors(op),
               limn_op_find(op)->grad ? "yes" : "-");
        if (limn_op_find(op)->never_runs) printf("%s", limn_op_find(op)->never_runs);
        else if (op == LIMN_OP_VIEW) printf("an alias, never runs");
        else list_kernels(op);
        printf("\n");
    }
    printf("inner loops:");
    for (int i = 0; check_rows(i); i++) printf(" %s", check_rows(i)->name);
    printf("\n");
}

static void run_cases(check *c)
{
    bool grad = strcmp(c->mode, "grad") == 0;
    for (const check_case *k = check_cases; k->proves; k++) {
        if (!check_wanted(c, k->op)) continue;
        if (!grad) check_test(c, k, NULL, NULL, false);
        else if (check_has_grad(k)) check_grad(c, k);
    }
    if (!grad) check_vectors(c);
    check_nothing_is_forgotten(c);
}

static int usage(const char *wrong)
{
    fprintf(stderr,
            "limn-check: %s\nusage: limn-check --mode test|grad|bench|list [--op NAME] [--precision f32|bf16] [--backend "
            "cpu|ref] [--kernel NAME]\n"
            "--kernel, with --mode test: only this one\n",
            wrong);
    return 2;
}

static bool one_of(const char *text, const char *a, const char *b)
{
    return !text || strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool names_a_kernel(const check *c)
{
    const limn_kernel *kernel;
    for (int op = 0; op < LIMN_N_OPS; op++)
        for (int i = 0; check_wanted(c, op) && !limn_op_find(op)->never_runs && (kernel = limn_cpu_kernel(op, i)); i++)
            if (strcmp(c->kernel, kernel == limn_ref_kernel(op, 0) ? "ref" : kernel->name) == 0) return true;
    return false;
}

static const char *parse(check *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char **to = strcmp(argv[i], "--mode") == 0        ? &c->mode
                          : strcmp(argv[i], "--op") == 0        ? &c->op
                          : strcmp(argv[i], "--precision") == 0 ? &c->precision
                          : strcmp(argv[i], "--backend") == 0   ? &c->backend
                          : strcmp(argv[i], "--kernel") == 0    ? &c->kernel
                                                                : NULL;
        if (!to) return "an unknown flag";
        if (i + 1 == argc) return "a flag lacks its value";
        *to = argv[i + 1];
    }
    if (!c->mode || !(one_of(c->mode, "test", "grad") || one_of(c->mode, "bench", "list")))
        return "--mode is test, grad, bench or list";
    if (!one_of(c->precision, "f32", "bf16")) return "--precision is f32 or bf16";
    if (!one_of(c->backend, "cpu", "ref")) return "--backend is cpu or ref";
    for (int op = 0; op < LIMN_N_OPS; op++)
        if (check_wanted(c, op))
            return !c->kernel || names_a_kernel(c) ? NULL : "--kernel names no kernel of these ops: see --mode list";
    return "--op names no op: see --mode list";
}

int main(int argc, char **argv)
{
    check c = {.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    const char *wrong = parse(&c, argc, argv);
    if (wrong) return usage(wrong);
    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not take the failures before it along */
    c.ctx = limn_ctx_new();
    if (!c.ctx) return 1;
    if (strcmp(c.mode, "list") == 0) list(&c);
    else if (strcmp(c.mode, "bench") == 0) check_bench(&c);
    else {
        run_cases(&c);
        printf("%d passed, %d failed", c.n_passed, c.n_failed);
        if (c.n_skipped) printf(", %d skipped", c.n_skipped);
        printf("\n");
    }
    limn_ctx_free(c.ctx);
    return c.n_failed ? 1 : 0;
}
