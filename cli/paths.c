/* paths.c: stdout as a path, and models that ship. */
#include "cli.h"
#include "file/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *cli_output(const char *path)
{
    return path && strcmp(path, "-") == 0 ? "/dev/stdout" : path;
}

void cli_tell_written(const char *path)
{
    if (!limn_path_is_stdout(path)) printf("%s\n", path);
}

/* A path that is told from the folder of the program ("../share/limn"), wherever that lies now: a prefix may be moved as a
 * whole.  False: the system does not tell where it is, or the path is too long. */
static bool from_program(const char *relative, char out[LIMN_PATH_BYTES])
{
    ssize_t n = readlink("/proc/self/exe", out, LIMN_PATH_BYTES - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (!slash || n == LIMN_PATH_BYTES - 1) return false;
    for (*slash = 0; strncmp(relative, "../", 3) == 0 && (slash = strrchr(out, '/')); relative += 3) *slash = 0;
    size_t used = strlen(out);
    return (size_t)snprintf(out + used, LIMN_PATH_BYTES - used, "/%s", relative) < LIMN_PATH_BYTES - used;
}

limn_status cli_plugin(limn_ctx *ctx, const char *name, char installed[LIMN_PATH_BYTES])
{
    char relative[256];
    snprintf(relative, sizeof relative, "%s/%s", LIMN_PLUGINS, name);
    if (from_program(name, installed) && access(installed, F_OK) == 0) return LIMN_OK;
    if (from_program(relative, installed) && access(installed, F_OK) == 0) return LIMN_OK;
    return limn_fail(ctx, LIMN_NOT_FOUND,
                     "several processes train one network by %s, which is neither beside the program nor in %s: where Limn "
                     "was built, make mpi builds it (and gets Open MPI)",
                     name, LIMN_PLUGINS);
}

limn_status cli_model(limn_ctx *ctx, const char *given, const char *own, char installed[LIMN_PATH_BYTES], const char **out)
{
    char share[LIMN_PATH_BYTES], shown[256];
    *out = given ? given : own;
    if (given || access(own, F_OK) == 0) return LIMN_OK;
    bool told = from_program(LIMN_SHARE, share) &&
                (size_t)snprintf(installed, LIMN_PATH_BYTES, "%s/%s", share, own) < LIMN_PATH_BYTES;
    if (told && access(installed, F_OK) == 0) return *out = installed, LIMN_OK;
    limn_escape(told ? share : "share/limn", strlen(told ? share : "share/limn"), shown, sizeof shown);
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s, the model without -m, is neither in this folder nor in %s: give -m with a "
                     "model, or go to where Limn was built", own, shown);
}
