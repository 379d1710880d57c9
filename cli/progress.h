/* progress.h: what a job is at, on stderr: one line that changes on a terminal; else a line for each stage, and one now and
 * then while it lasts. */
#ifndef LIMN_CLI_PROGRESS_H
#define LIMN_CLI_PROGRESS_H

#include "limn/limn.h"

typedef struct cli_progress {
    bool quiet;          /* warnings only */
    bool moves;          /* stderr is a terminal that takes back what it shows */
    bool in_rounds;      /* "tile" and "picture" say which one is made; else they are what is counted */
    bool passes;         /* no line stays when a stage is over */
    bool drawn;          /* the line is there now */
    int lines;           /* that were printed and stay */
    char round[64];      /* "tile 2/6, " */
    char stage[32], counted[32]; /* that was told of last; of those that last, whose rate is measured */
    double begin, shown; /* seconds: of the rate, of the last line */
    int64_t first;       /* done when the rate began */
} cli_progress;

cli_progress cli_progress_begin(bool quiet, bool in_rounds);
/** limn_progress_fn; user: cli_progress. */
bool cli_progress_show(void *user, const char *what, int64_t done, int64_t total);
/** limn_log_fn of the same user. */
void cli_progress_tell(void *user, limn_log_level level, const char *text);
/** Take the line back, for what somebody else prints. */
void cli_progress_clear(cli_progress *p);

#endif
