/* make_folder.h: a folder under /tmp for one test, paths in it, and the last warning and note that the context logged. */
#ifndef LIMN_MAKE_FOLDER_H
#define LIMN_MAKE_FOLDER_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[256], warning[2048], note[2048];

/* Good for the next three calls. */
static const char *in(const char *name)
{
    static char path[4][1024];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void note_warning(void *user, limn_log_level level, const char *text)
{
    (void)user;
    if (level == LIMN_LOG_WARN) snprintf(warning, sizeof warning, "%s", text);
    size_t n = strlen(note);
    if (level == LIMN_LOG_INFO) snprintf(note + n, sizeof note - n, "%s%s", n ? "\n" : "", text); /* all there were */
}

static bool make_folder(limn_ctx *ctx, const char *label)
{
    limn_ctx_set_log(ctx, note_warning, NULL);
    snprintf(folder, sizeof folder, "/tmp/limn-%s-XXXXXX", label);
    warning[0] = note[0] = '\0';
    return mkdtemp(folder);
}

static int remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

#endif
