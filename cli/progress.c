/* progress.c: see progress.h. */
#include "progress.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

cli_progress cli_progress_begin(bool quiet, bool in_rounds)
{
    const char *term = getenv("TERM");
    bool moves = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    return (cli_progress){.quiet = quiet, .moves = moves, .in_rounds = in_rounds};
}

void cli_progress_clear(cli_progress *p)
{
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

void cli_progress_tell(void *user, limn_log_level level, const char *text)
{
    cli_progress *p = user;
    bool said = level == LIMN_LOG_WARN || (level == LIMN_LOG_INFO && !p->quiet);
    if (!said) return;
    cli_progress_clear(p);
    p->lines++;
    fprintf(stderr, "%s%s\n", level == LIMN_LOG_WARN ? "warning: " : "", text);
}

/* What is over soon, and leaves no line. */
static bool is_brief(const char *what)
{
    static const char *const words[] = {"load", "text", "encode", "decode", "hash"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(what, words[i]) == 0) return true;
    return false;
}

static void put_seconds(double seconds)
{
    long all = (long)(seconds + 0.5), hours = all / 3600;
    if (hours) fprintf(stderr, "%ld:%02ld:%02ld", hours, all / 60 % 60, all % 60);
    else fprintf(stderr, "%ld:%02ld", all / 60, all % 60);
}

/* "tile 2/6, step 3/20  1.2/s  0:14 left" */
static void put_words(const cli_progress *p, const char *what, int64_t done, int64_t total, double now)
{
    bool bytes = strcmp(what, "load") == 0 || strcmp(what, "hash") == 0;
    char have[32], all[32];
    fprintf(stderr, "%s%s", p->round, what);
    if (bytes) fprintf(stderr, " %s of %s", cli_bytes((double)done, have), cli_bytes((double)total, all));
    else if (total > 1 || !is_brief(what)) fprintf(stderr, " %lld/%lld", (long long)done, (long long)total);
    int64_t made = is_brief(what) ? 0 : done - p->first;
    if (made <= 0) return;
    double rate = (double)made / (now - p->begin + 1e-9);
    fprintf(stderr, rate >= 1 ? "  %.1f/s" : "  %.2f s each", rate >= 1 ? rate : 1 / rate);
    if (done == total) return;
    fputs("  ", stderr);
    put_seconds((double)(total - done) / rate);
    fputs(" left", stderr);
}

static void draw_line(cli_progress *p, const char *what, int64_t done, int64_t total, double now)
{
    enum { WIDTH = 30 };
    int filled = (int)((double)done / (double)total * WIDTH);
    fprintf(stderr, "\r|%.*s%*s| ", filled, "==============================", WIDTH - filled, "");
    put_words(p, what, done, total, now);
    fputs("\033[K", stderr);
    p->drawn = true;
    if (done < total) return;
    if (p->passes || is_brief(what)) cli_progress_clear(p);
    else fputc('\n', stderr), p->drawn = false, p->lines++;
}

bool cli_progress_show(void *user, const char *what, int64_t done, int64_t total)
{
    enum { SELDOM = 10 }; /* seconds between lines of one stage */
    const double often = 0.05;
    cli_progress *p = user;
    double now = limn_seconds();
    if (p->quiet || total < 1) return true;
    if (p->in_rounds && (strcmp(what, "tile") == 0 || strcmp(what, "picture") == 0)) {
        snprintf(p->round, sizeof p->round, "%s %lld/%lld, ", what, (long long)done + 1, (long long)total);
        return true;
    }
    bool other = strcmp(p->stage, what) != 0;
    snprintf(p->stage, sizeof p->stage, "%s", what);
    if (!is_brief(what) && (strcmp(p->counted, what) != 0 || done <= p->first)) {
        snprintf(p->counted, sizeof p->counted, "%s", what);
        p->begin = now, p->first = done;
    }
    if (!other && now - p->shown < (p->moves ? often : SELDOM) && !(p->moves && done == total)) return true;
    if (!p->moves && done == total) return true; /* the next stage has the next line */
    p->shown = now;
    if (p->moves) return draw_line(p, what, done, total, now), true;
    put_words(p, what, done, total, now);
    fputc('\n', stderr);
    return true;
}
