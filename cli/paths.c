/* paths.c: where results may go, and what their names end in. */
#include "cli.h"
#include "file/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_is_folder(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

bool cli_ends_in(const char *path, const char *endings)
{
    size_t n = strlen(path);
    while (*endings) {
        size_t m = strcspn(endings, "|");
        if (n > m && limn_same_word(path + n - m, m, endings, m)) return true;
        endings += m + (endings[m] == '|');
    }
    return false;
}

const char *cli_output(const char *path)
{
    return path && strcmp(path, "-") == 0 ? "/dev/stdout" : path;
}

bool cli_is_stdout(const char *path)
{
    return path && limn_file_descriptor(path) == STDOUT_FILENO;
}

void cli_tell_written(const char *path)
{
    if (!cli_is_stdout(path)) printf("%s\n", path);
}

limn_status cli_folder_check(limn_ctx *ctx, const char *flag, const char *path)
{
    char file[LIMN_PATH_BYTES], folder[LIMN_PATH_BYTES], shown[256];
    struct stat there;
    if (cli_is_stdout(path) && isatty(STDOUT_FILENO))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "%s: the bytes of a file are nothing for a terminal, and stdout is one: add "
                         ">FILE or |PROGRAM", flag);
    bool found = stat(path, &there) == 0;
    if (cli_is_stdout(path) || (found && !S_ISREG(there.st_mode))) return LIMN_OK; /* a device or a pipe */
    if (!limn_file_behind(path, file))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is too long, or a link in a circle", flag);
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash && slash > file ? (int)(slash - file) : 1, slash ? file : ".");
    limn_escape(folder, strlen(folder), shown, sizeof shown);
    if (!cli_is_folder(folder))
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no folder %s to write into", flag, shown);
    if (access(folder, W_OK) != 0)
        return limn_fail(ctx, LIMN_IO, "%s: nothing can be written into the folder %s: %s", flag, shown, strerror(errno));
    if (!found || access(file, W_OK) == 0) return LIMN_OK;
    limn_escape(file, strlen(file), shown, sizeof shown);
    return limn_fail(ctx, LIMN_IO, "%s: %s is there and may not be written over: %s", flag, shown, strerror(errno));
}

limn_status cli_file_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings)
{
    char shown[256];
    if (cli_is_stdout(path)) return cli_folder_check(ctx, flag, path);
    limn_escape(path, strlen(path), shown, sizeof shown);
    if (strlen(path) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is longer than 1000 bytes", flag);
    if (cli_is_folder(path)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s is a folder, expected a file", flag, shown);
    if (!cli_ends_in(path, endings))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the name must end in %s, found \"%s\"", flag, endings, shown);
    return cli_folder_check(ctx, flag, path);
}

/* Where `make install` puts what is not the program, LIMN_SHARE ("../share/limn"), seen from where the program lies now:
 * a prefix may be moved as a whole.  False: the system does not tell where that is, or the path is too long. */
static bool share_folder(char out[LIMN_PATH_BYTES])
{
    const char *share = LIMN_SHARE;
    ssize_t n = readlink("/proc/self/exe", out, LIMN_PATH_BYTES - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (!slash || n == LIMN_PATH_BYTES - 1) return false;
    for (*slash = 0; strncmp(share, "../", 3) == 0 && (slash = strrchr(out, '/')); share += 3) *slash = 0;
    size_t used = strlen(out);
    return (size_t)snprintf(out + used, LIMN_PATH_BYTES - used, "/%s", share) < LIMN_PATH_BYTES - used;
}

limn_status cli_model(limn_ctx *ctx, const char *given, const char *own, char installed[LIMN_PATH_BYTES], const char **out)
{
    char share[LIMN_PATH_BYTES], shown[256];
    *out = given ? given : own;
    if (given || access(own, F_OK) == 0) return LIMN_OK;
    bool told = share_folder(share) && (size_t)snprintf(installed, LIMN_PATH_BYTES, "%s/%s", share, own) < LIMN_PATH_BYTES;
    if (told && access(installed, F_OK) == 0) return *out = installed, LIMN_OK;
    limn_escape(told ? share : "share/limn", strlen(told ? share : "share/limn"), shown, sizeof shown);
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s, the model without -m, is neither in this folder nor in %s: give -m with a "
                     "model, or go to where Limn was built", own, shown);
}
