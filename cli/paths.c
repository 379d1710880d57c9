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

limn_status cli_folder_check(limn_ctx *ctx, const char *flag, const char *path)
{
    char folder[LIMN_PATH_BYTES], shown[256];
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) return LIMN_OK; /* a device or a pipe */
    char *real = realpath(path, NULL); /* behind links; NULL: nothing there yet */
    const char *file = real ? real : path, *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash && slash > file ? (int)(slash - file) : 1, slash ? file : ".");
    free(real);
    limn_escape(folder, strlen(folder), shown, sizeof shown);
    if (!cli_is_folder(folder)) return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no folder %s to write into", flag, shown);
    if (access(folder, W_OK) == 0) return LIMN_OK;
    return limn_fail(ctx, LIMN_IO, "%s: nothing can be written into the folder %s: %s", flag, shown, strerror(errno));
}

limn_status cli_file_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings)
{
    char shown[256];
    limn_escape(path, strlen(path), shown, sizeof shown);
    if (strlen(path) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is longer than 1000 bytes", flag);
    if (cli_is_folder(path)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s is a folder, expected a file", flag, shown);
    if (!cli_ends_in(path, endings)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the name must end in %s, found \"%s\"", flag, endings, shown);
    return cli_folder_check(ctx, flag, path);
}
