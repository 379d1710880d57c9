/* target.c: see target.h. */
#include "file/target.h"

#include "file/bytes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool limn_path_is_folder(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

bool limn_path_ends_in(const char *path, const char *endings)
{
    size_t n = strlen(path);
    while (*endings) {
        size_t m = strcspn(endings, "|");
        if (n > m && limn_same_word(path + n - m, m, endings, m)) return true;
        endings += m + (endings[m] == '|');
    }
    return false;
}

bool limn_path_is_stdout(const char *path)
{
    return path && limn_file_descriptor(path) == STDOUT_FILENO;
}

limn_status limn_target_folder_check(limn_ctx *ctx, const char *flag, const char *path)
{
    char file[LIMN_PATH_BYTES], folder[LIMN_PATH_BYTES], shown[256];
    struct stat there;
    if (limn_path_is_stdout(path) && isatty(STDOUT_FILENO))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "%s: the bytes of a file are nothing for a terminal, and stdout is one: add "
                         ">FILE or |PROGRAM", flag);
    bool found = stat(path, &there) == 0;
    if (limn_path_is_stdout(path) || (found && !S_ISREG(there.st_mode))) return LIMN_OK; /* a device or a pipe */
    if (!limn_file_behind(path, file))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is too long, or a link in a circle", flag);
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash && slash > file ? (int)(slash - file) : 1, slash ? file : ".");
    limn_escape(folder, strlen(folder), shown, sizeof shown);
    if (!limn_path_is_folder(folder))
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no folder %s to write into", flag, shown);
    if (access(folder, W_OK) != 0)
        return limn_fail(ctx, LIMN_IO, "%s: nothing can be written into the folder %s: %s", flag, shown, strerror(errno));
    if (!found || access(file, W_OK) == 0) return LIMN_OK;
    limn_escape(file, strlen(file), shown, sizeof shown);
    return limn_fail(ctx, LIMN_IO, "%s: %s is there and may not be written over: %s", flag, shown, strerror(errno));
}

limn_status limn_target_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings)
{
    char shown[256];
    if (limn_path_is_stdout(path)) return limn_target_folder_check(ctx, flag, path);
    limn_escape(path, strlen(path), shown, sizeof shown);
    if (strlen(path) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is longer than 1000 bytes", flag);
    if (limn_path_is_folder(path))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s is a folder, expected a file", flag, shown);
    if (!limn_path_ends_in(path, endings))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the name must end in %s, found \"%s\"", flag, endings, shown);
    return limn_target_folder_check(ctx, flag, path);
}
