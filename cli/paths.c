/* paths.c: where results may go, and what their names end in. */
#include "cli.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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
        if (n > m && strncasecmp(path + n - m, endings, m) == 0) return true;
        endings += m + (endings[m] == '|');
    }
    return false;
}

limn_status cli_file_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings)
{
    char folder[1024], shown[256];
    const char *slash = strrchr(path, '/');
    limn_escape(path, strlen(path), shown, sizeof shown);
    if (strlen(path) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is longer than 1000 bytes", flag);
    if (cli_is_folder(path)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s is a folder, expected a file", flag, shown);
    if (!cli_ends_in(path, endings)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the name must end in %s, found \"%s\"", flag, endings, shown);
    if (!slash || slash == path) return LIMN_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (cli_is_folder(folder)) return LIMN_OK;
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no folder %s to write into", flag, limn_escape(folder, strlen(folder), shown, sizeof shown));
}
