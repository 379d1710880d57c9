/* ranks.c: see ranks.h. */
#include "ranks.h"

#include "cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- launchers -------------------------------------------------------------------------------------------------------- */

/* A whole number of the environment; -1: there is none. */
static long number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n = text ? strtol(text, &end, 10) : -1;
    return text && *text && !*end ? n : -1;
}

typedef enum launcher { ALONE, OPEN_MPI, REFUSED } launcher;

/* How each of them tells a process its place.  A batch script of Slurm has SLURM_NTASKS, too, and is one process;
 * SLURM_STEP_NUM_TASKS is of those that srun started. */
static launcher find_launcher(int *rank, const char **why)
{
    static const struct {
        const char *size, *rank, *why;
    } others[] = {
        {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID",
         "srun started %ld processes without PMIx, and each would train alone: use mpirun inside the allocation (salloc or "
         "sbatch, then mpirun build/limn train ..), or srun --mpi=pmix where Slurm has it"},
        {"PMI_SIZE", "PMI_RANK",
         "another launcher than Open MPI's (MPICH, Intel MPI) started %ld processes, and each would train alone: use mpirun "
         "of Open MPI (Debian: openmpi-bin)"},
        {"WORLD_SIZE", "RANK",
         "torchrun, or something like it (WORLD_SIZE, RANK), started %ld processes, and each would train alone: use mpirun "
         "-n N build/limn train .., or unset WORLD_SIZE"}};
    static char text[512];
    if (number_of("OMPI_COMM_WORLD_SIZE") > 1) return *rank = (int)number_of("OMPI_COMM_WORLD_RANK"), OPEN_MPI;
    if (number_of("OMPI_COMM_WORLD_SIZE") == 1) return ALONE;
    if (number_of("PMIX_RANK") >= 0 && number_of("SLURM_STEP_NUM_TASKS") > 1) /* srun --mpi=pmix */
        return *rank = (int)number_of("PMIX_RANK"), OPEN_MPI;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        long size = number_of(others[i].size);
        if (size <= 1) continue;
        *rank = (int)number_of(others[i].rank);
        snprintf(text, sizeof text, others[i].why, size);
        return *why = text, REFUSED;
    }
    return ALONE;
}

/* ---- silence ---------------------------------------------------------------------------------------------------------- */

static void be_silent(cli_ranks *r)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    r->said = tmpfile();
    fflush(stderr), fflush(stdout);
    r->err = dup(STDERR_FILENO), r->out = dup(STDOUT_FILENO);
    dup2(r->said ? fileno(r->said) : nothing, STDERR_FILENO);
    dup2(nothing, STDOUT_FILENO);
    close(nothing);
}

/* What it said is one sentence in the ctx. */
static void speak_again(limn_ctx *ctx, cli_ranks *r)
{
    char text[LIMN_ERROR_BYTES] = "";
    if (!r->said) return;
    fflush(stderr), fflush(stdout);
    dup2(r->err, STDERR_FILENO), dup2(r->out, STDOUT_FILENO);
    close(r->err), close(r->out);
    rewind(r->said);
    size_t n = fread(text, 1, sizeof text - 1, r->said);
    text[strcspn(text, "\n")] = 0;
    fclose(r->said), r->said = NULL;
    const char *sentence = strncmp(text, "limn", 4) == 0 ? strstr(text, ": ") : NULL; /* the other rank says who speaks */
    if (n) limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s", sentence ? sentence + 2 : text);
}

/* Before there is a group nobody knows whether rank 0 says the same: it would have ended by then, and this process too. */
static void speak_if_alone(limn_ctx *ctx, cli_ranks *r)
{
    if (r->rank == 0) return;
    speak_again(ctx, r);
    sleep(2);
    fprintf(stderr, "rank %d: %s\n", r->rank, limn_error_text(ctx));
}

/* ---- begin and end ---------------------------------------------------------------------------------------------------- */

/* Seconds: LIMN_PATIENCE, 45 without it. */
static bool read_patience(double *out)
{
    const char *text = getenv("LIMN_PATIENCE");
    *out = 45;
    return cli_real("LIMN_PATIENCE (seconds that a rank may be silent; 0: for ever)", text, 0, 1e6, out);
}

int cli_ranks_begin(limn_ctx *ctx, cli_ranks *r)
{
    char plugin[LIMN_PATH_BYTES];
    const char *why;
    double patience;
    *r = (cli_ranks){.size = 1};
    launcher by = find_launcher(&r->rank, &why);
    if (by == ALONE) return 0;
    if (r->rank != 0) be_silent(r);
    if (by == REFUSED) return fprintf(stderr, "limn train: %s\n", why), speak_if_alone(ctx, r), 2;
    bool right = read_patience(&patience);
    limn_status status = right ? cli_plugin(ctx, "limn-mpi.so", plugin) : LIMN_BAD_ARGUMENT;
    if (status == LIMN_OK) status = limn_comm_load(ctx, plugin, patience, &r->comm);
    int code = !right ? 2 : status == LIMN_OK ? 0 : cli_fail(ctx, status);
    if (code) return speak_if_alone(ctx, r), code;
    r->size = limn_comm_size(r->comm), r->rank = limn_comm_rank(r->comm);
    return 0;
}

int cli_ranks_agree(cli_ranks *r, limn_ctx *ctx, int code)
{
    if (!r->comm) return code;
    speak_again(ctx, r);
    limn_status status = limn_comm_agree(r->comm, code == 0 ? LIMN_OK : LIMN_BAD_ARGUMENT);
    if (status == LIMN_OK || code) return code;
    return r->rank == 0 ? cli_fail(ctx, status) : 2;
}

void cli_ranks_end(cli_ranks *r)
{
    limn_comm_close(r->comm);
    r->comm = NULL;
}
