/* keep_log.h: a log that a test looks at. */
#ifndef LIMN_KEEP_LOG_H
#define LIMN_KEEP_LOG_H

#include "limn/limn.h"

#include <stdio.h>
#include <string.h>

static char logged[1 << 14]; /* a line each, since logged[0] = '\0' */

/* For limn_ctx_set_log(). */
static inline void keep_log(void *user, limn_log_level level, const char *text)
{
    size_t n = strlen(logged);
    (void)user, (void)level;
    snprintf(logged + n, sizeof logged - n, "%s\n", text);
}

#endif
