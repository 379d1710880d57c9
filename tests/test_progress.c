/* test_progress.c: what a job is at: told to a program, in lines to a file, in one line that changes to a terminal, with the
 * picture that is under way above it; and it may be stopped at each stage. */
#include "file/image.h"
#include "make_published.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMN LIMN_BINARY_DIR "/limn "
#define MODEL "progress-sd.safetensors"
#define DRAW LIMN "generate lighthouse -m " MODEL " -W 64 -H 64 --sampling-method euler "

static int write_model(void **state)
{
    limn_ctx *ctx = limn_ctx_new();
    const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors);
    sd_write(ctx, MODEL, n, tensors, NULL);
    limn_ctx_free(ctx);
    (void)state;
    return 0;
}

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "lighthouse", o.steps = 3, o.sampler = "euler", o.width = o.height = 32, o.precision = LIMN_PRECISION_F32;
    return o;
}

/* ---- a program -------------------------------------------------------------------------------------------------------- */

typedef struct told {
    char words[400];       /* each stage once, as it came; "load" at the beginning only: other sides may need more */
    char last[32];
    int64_t done, total;
    const char *stop;      /* here */
    bool wrong;            /* done was below 0 or above total, or went back within a stage */
} told;

static bool note(void *user, const char *what, int64_t done, int64_t total)
{
    told *t = user;
    bool same = strcmp(what, t->last) == 0;
    bool more = !strcmp(what, "load") && t->words[0];
    if (!same && !more) snprintf(t->words + strlen(t->words), sizeof t->words - strlen(t->words), "%s ", what);
    t->wrong |= done < 0 || done > total || (same && total == t->total && done < t->done);
    snprintf(t->last, sizeof t->last, "%s", what);
    t->done = done, t->total = total;
    return !t->stop || strcmp(what, t->stop) != 0;
}

static void stages_are_told_in_their_order(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image start, one, many[20], large;
    told t = {0};
    OK(limn_pipeline_open(ctx, MODEL, &p));
    limn_ctx_set_progress(ctx, note, &t);
    limn_generate_options o = options();
    OK(limn_generate(p, &o, &start));
    assert_string_equal(t.words, "load text step decode ");
    assert_true(!t.wrong && t.done == t.total);
    t = (told){0}; /* the text is read, of the weights those of the encoder are missing */
    o.init = &start, o.seed = 7, o.strength = 0.9;
    OK(limn_generate(p, &o, &one));
    assert_string_equal(t.words, "load encode step decode ");
    limn_image_free(&one);
    t = (told){0};
    o = options(), o.n = 20;
    OK(limn_generate(p, &o, many));
    assert_string_equal(t.words, "picture step decode picture step decode ");
    for (int i = 0; i < 20; i++) limn_image_free(&many[i]);
    t = (told){0};
    o = options(), o.hires = 1.5, o.n = 2;
    OK(limn_generate(p, &o, many));
    assert_string_equal(t.words, "step picture second pass decode picture second pass decode ");
    limn_image_free(&many[0]), limn_image_free(&many[1]);
    t = (told){0};
    o = options(), o.width = o.height = 0, o.strength = 0.5;
    OK(limn_upscale(p, &start, &(limn_upscale_options){.scale = 3.5, .tile = 64}, &o, &large));
    assert_string_equal(t.words, "tile encode step decode tile encode step decode tile encode step decode tile encode step "
                                 "decode ");
    limn_image_free(&start);
    limn_image_free(&large);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void a_job_that_is_stopped_anywhere_can_be_done_again(void **state)
{
    (void)state;
    static const char *const words[] = {"load", "text", "encode", "step", "decode"};
    limn_ctx *ctx = limn_ctx_new();
    limn_image start = {0}, whole, image;
    limn_pipeline *p;
    limn_generate_options o = options();
    OK(limn_pipeline_open(ctx, MODEL, &p));
    OK(limn_generate(p, &o, &start));
    o.init = &start, o.seed = 3, o.strength = 0.9;
    OK(limn_generate(p, &o, &whole));
    limn_pipeline_free(p);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        told t = {.stop = words[i]};
        OK(limn_pipeline_open(ctx, MODEL, &p));
        limn_ctx_set_progress(ctx, note, &t);
        says(ctx, limn_generate(p, &o, &image), LIMN_CANCELLED, "stopped");
        assert_null(image.pixels);
        assert_string_equal(t.last, words[i]);
        limn_ctx_set_progress(ctx, NULL, NULL);
        OK(limn_generate(p, &o, &image));
        assert_memory_equal(image.pixels, whole.pixels, (size_t)(32 * 32 * 3));
        limn_image_free(&image);
        limn_pipeline_free(p);
    }
    limn_image_free(&start);
    limn_image_free(&whole);
    limn_ctx_free(ctx);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* stderr of a command that works. */
static char *said(const char *command)
{
    static char text[1 << 16];
    char line[900];
    snprintf(line, sizeof line, "OMP_WAIT_POLICY=passive %s 2>progress-said.txt >/dev/null", command);
    if (system(line) != 0) fail_msg("%s", line);
    FILE *file = fopen("progress-said.txt", "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

/* Lines that begin with words, one after the other; with others between them. */
static void has_lines(const char *text, int n, const char *const *words)
{
    const char *at = text;
    for (int i = 0; i < n; i++) {
        while (at && strncmp(at, words[i], strlen(words[i]))) at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
        if (!at) fail_msg("expected the line \"%s\" in\n%s", words[i], text);
    }
}
#define HAS_LINES(text, ...)                                                                                               \
    has_lines(text, (int)(sizeof(const char *[]){__VA_ARGS__} / sizeof(char *)), (const char *[]){__VA_ARGS__})

static int count(const char *text, const char *words)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words)) n++;
    return n;
}

static void a_file_gets_a_line_for_each_stage(void **state)
{
    (void)state;
    char *text = said(DRAW "--steps 30 -o progress.png");
    HAS_LINES(text, "memory: ", "load 0 B of ", "text\n", "step 0/30\n", "decode\n");
    assert_null(strpbrk(text, "\r\033"));
    assert_true(count(text, "\n") <= 8); /* sparingly */
    assert_string_equal(said(DRAW "--steps 3 -q -o progress.png"), "");
    text = said(DRAW "--steps 3 -b 17 -W 16 -H 16 -o progress-many-%d.png");
    HAS_LINES(text, "load ", "text\n", "picture 1/17, step 0/6\n", "picture 1/17, decode 0/17\n", "picture 10/17, step 3/6");
    text = said(DRAW "--steps 3 --hires 2 -o progress.png");
    HAS_LINES(text, "step 0/3\n", "second pass 0/1\n", "decode\n");
    text = said(LIMN "upscale progress.png -m " MODEL " --scale 1.5 --tile 128 --steps 4 -o progress-large.png");
    HAS_LINES(text, "tile 1/4, encode\n", "tile 1/4, step 0/4\n", "tile 2/4, encode\n", "tile 2/4, step 1/4",
              "tile 4/4, decode\n");
}

/* ---- Ctrl-C ----------------------------------------------------------------------------------------------------------- */

static int exit_code(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The model with a gigabyte of zeros that no network reads, and that lie nowhere: its hash takes a while. */
static void write_large(const char *path)
{
    enum { MOST = 1 << 20 };
    const uint64_t zeros = (uint64_t)1 << 30;
    static char header[MOST];
    static char bytes[1 << 16];
    uint64_t n;
    size_t got;
    FILE *from = fopen(MODEL, "rb"), *to = fopen(path, "wb");
    assert_true(from && to && fread(&n, 8, 1, from) == 1 && n < MOST - 300 && fread(header, 1, n, from) == n);
    header[n] = 0;
    fseek(from, 0, SEEK_END);
    uint64_t data = (uint64_t)ftell(from) - 8 - n;
    snprintf(strrchr(header, '}'), 300,
             ",\"model_ema.zeros\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]}}",
             (unsigned long long)zeros / 4, (unsigned long long)data, (unsigned long long)(data + zeros));
    for (uint64_t now = strlen(header); now % 8; now++) strcat(header, " ");
    uint64_t length = strlen(header);
    assert_true(fwrite(&length, 8, 1, to) == 1 && fwrite(header, 1, length, to) == length);
    fseek(from, (long)(8 + n), SEEK_SET);
    while ((got = fread(bytes, 1, sizeof bytes, from)) > 0) assert_int_equal(fwrite(bytes, 1, got, to), got);
    assert_true(fclose(from) == 0 && fclose(to) == 0 && truncate(path, (off_t)(8 + length + data + zeros)) == 0);
}

/* Files here whose names hold a word. */
static int files_named(const char *word)
{
    DIR *all = opendir(".");
    int n = 0;
    for (struct dirent *e; (e = readdir(all));) n += strstr(e->d_name, word) != NULL;
    closedir(all);
    return n;
}

/* As a shell shows it, of a command that is interrupted when its stderr names the stage. */
static int interrupted_at(const char *command, const char *stage)
{
    char text[1 << 14] = "", line[700];
    int ends[2];
    size_t n = 0;
    snprintf(line, sizeof line, "OMP_WAIT_POLICY=passive exec %s >/dev/null", command);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO), close(ends[0]), close(ends[1]);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0 && !strstr(text, stage) && n < sizeof text - 1;) {
        got = read(ends[0], text + n, sizeof text - 1 - n);
        if (got > 0) n += (size_t)got;
    }
    if (!strstr(text, stage)) fail_msg("%s did not say \"%s\": %s", command, stage, text);
    kill(child, SIGINT);
    int code = exit_code(child);
    close(ends[0]);
    return code;
}

static void control_c_leaves_nothing_partial_at_any_stage(void **state)
{
    (void)state;
    static const struct { const char *command, *stage; } rows[] = {
        {DRAW "--steps 1000 -o progress-stop.png", "load "},
        {DRAW "--steps 1000 -o progress-stop.png", "\ntext"},
        {DRAW "--steps 1000 -i progress.png --strength 1 -o progress-stop.png", "\nencode"},
        {DRAW "--steps 1000 -o progress-stop.png", "\nstep"},
        {DRAW "--steps 1000 --preview vae --preview-path progress-stop-preview.png -o progress-stop.png", "\nstep"},
        {DRAW "--steps 1 -b 64 -o progress-stop.png", "decode"},
        {DRAW "--steps 4 --hires 2 --hires-steps 1000 -o progress-stop.png", "\nsecond pass"},
        {"env XDG_CACHE_HOME=$PWD/progress-cache " LIMN "generate x -m progress-large.safetensors -W 32 -H 32 --steps 1 "
         "-o progress-stop.png", "hash "},
        {LIMN "upscale progress.png -m " MODEL " --scale 4 --tile 64 --steps 30 -o progress-stop.png", "tile 2/"},
    };
    said(DRAW "--steps 1 -q -o progress.png");
    said("rm -rf progress-cache");
    write_large("progress-large.safetensors");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code = interrupted_at(rows[i].command, rows[i].stage);
        if (code != 130) fail_msg("%s, at \"%s\": %d", rows[i].command, rows[i].stage, code);
        if (access("progress-stop-preview.png", F_OK) == 0) { /* a whole one */
            limn_ctx *ctx = limn_ctx_new();
            limn_image image;
            OK(limn_image_read(ctx, "progress-stop-preview.png", 0, &image));
            limn_image_free(&image);
            limn_ctx_free(ctx);
            unlink("progress-stop-preview.png");
        }
        assert_int_equal(files_named("progress-stop"), 0);
    }
    assert_int_not_equal(access("progress-cache/limn/model-hashes", F_OK), 0);
    unlink("progress-large.safetensors");
}

/* ---- terminals -------------------------------------------------------------------------------------------------------- */

enum { COLUMNS = 100, ROWS = 24, SCREEN = 400 };

/* All that a command writes to a terminal of these sides. */
static char *on_terminal(const char *environment, const char *command)
{
    static char text[1 << 23];
    char line[700];
    size_t n = 0;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) skip();
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    if (other < 0) skip();
    struct winsize window = {.ws_row = ROWS, .ws_col = COLUMNS};
    ioctl(other, TIOCSWINSZ, &window);
    snprintf(line, sizeof line, "export OMP_WAIT_POLICY=passive LC_ALL=C.UTF-8; unset NO_COLOR TMUX KITTY_WINDOW_ID "
             "TERM_PROGRAM LC_TERMINAL; %s exec %s", environment, command);
    pid_t child = fork();
    if (child == 0) {
        dup2(other, STDOUT_FILENO), dup2(other, STDERR_FILENO), close(other), close(terminal);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(other);
    for (ssize_t got; n < sizeof text - 1 && (got = read(terminal, text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(terminal);
    assert_int_equal(exit_code(child), 0);
    return text;
}

typedef struct screen { char line[SCREEN][4096]; int row; size_t at; } screen;

static void put(screen *s, const char *text, size_t n)
{
    assert_true(s->at + n < sizeof *s->line);
    memcpy(s->line[s->row] + s->at, text, n);
    s->at += n;
}

/* What a terminal shows in the end: line ends, the cursor up and down, rows and lines cleared; colours are passed over. */
static void look(const char *text, screen *s)
{
    memset(s, 0, sizeof *s);
    while (*text) {
        int n = 0, used = 0;
        char what = 0;
        if (*text == '\r') s->at = 0, text++;
        else if (*text == '\n') s->row++, s->at = 0, text++;
        else if (text[0] == '\033' && text[1] == '[') {
            text += 2;
            used = (int)strspn(text, "0123456789;"), n = atoi(text), what = text[used];
            text += used + 1;
            if (what == 'A') s->row -= n;
            if (what == 'B') s->row += n;
            if (what == 'K' || what == 'J') memset(s->line[s->row] + s->at, 0, sizeof *s->line - s->at);
            for (int i = s->row + 1; what == 'J' && i < SCREEN; i++) memset(s->line[i], 0, sizeof *s->line);
        } else if (text[0] == '\033' && text[1] == '_') text = strstr(text, "\033\\") + 2;
        else put(s, text++, 1);
        assert_true(s->row >= 0 && s->row < SCREEN - 1);
    }
}

static int lines_with(const screen *s, const char *words)
{
    int n = 0;
    for (int i = 0; i < SCREEN; i++) n += strstr(s->line[i], words) != NULL;
    return n;
}

static void a_terminal_has_one_line_that_changes(void **state)
{
    (void)state;
    static screen s;
    char *text = on_terminal("TERM=xterm", DRAW "--steps 40 -o progress.png");
    assert_non_null(strstr(text, "| load "));
    assert_non_null(strstr(text, "| text"));
    assert_non_null(strstr(text, "| step 0/40"));
    assert_non_null(strstr(text, " left"));
    assert_non_null(strstr(text, "| decode"));
    look(text, &s);
    assert_int_equal(lines_with(&s, "memory: "), 1);
    assert_int_equal(lines_with(&s, "| step 40/40  "), 1);
    assert_int_equal(lines_with(&s, "|"), 1);
    assert_int_equal(lines_with(&s, "progress.png"), 1);
    assert_int_equal(s.row, 3);
    text = on_terminal("NO_COLOR=1 TERM=xterm", DRAW "--steps 10 -o progress.png"); /* it moves, and has no colour */
    assert_non_null(strstr(text, "| step 10/10"));
    for (const char *at = text; (at = strchr(at, '\033')); at++) assert_int_equal(at[2], 'K');
    text = on_terminal("TERM=dumb", DRAW "--steps 10 -o progress.png");
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "\nstep 0/10"));
    text = on_terminal("TERM=xterm", DRAW "--steps 10 -q -o progress.png");
    assert_string_equal(text, "progress.png\r\n");
}

static void the_picture_under_way_is_drawn_in_its_place(void **state)
{
    (void)state;
    static screen s;
    char *text = on_terminal("TERM=xterm-256color", DRAW "--steps 120 --show -o progress.png");
    assert_true(count(text, "A\033[J") >= 2); /* drawn over */
    look(text, &s);
    assert_int_equal(lines_with(&s, "▀"), 32); /* 64 rows of pixels, once; the windows of those before had 24 */
    assert_int_equal(lines_with(&s, "step "), 0);
    assert_int_equal(lines_with(&s, "progress.png"), 1);
    assert_int_equal(s.row, 34);
    text = on_terminal("TERM=xterm-256color NO_COLOR=1", DRAW "--steps 120 --show -o progress.png");
    assert_true(count(text, "A\033[J") >= 2);
    assert_null(strstr(text, "\033[38"));
    text = on_terminal("TERM=xterm-kitty", DRAW "--steps 120 --show -o progress.png");
    assert_true(count(text, "a=T,f=24,s=64,v=64,c=40,r=20,i=20461,q=2,C=1,m=1;") >= 2);
    assert_int_equal(count(text, "a=T,f=100"), 1);
    assert_non_null(strstr(text, "a=d,d=I,i=20461"));
    text = on_terminal("TERM=dumb", DRAW "--steps 120 --show -o progress.png"); /* takes nothing back */
    assert_null(strchr(text, '\033'));
    text = said(DRAW "--steps 40 --show -q -o progress.png"); /* no terminal at all */
    assert_string_equal(text, "limn: --show: there is no terminal to draw in\n");
}

/* A picture is the same, looked at or not. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image a, b;
    said(DRAW "--steps 120 -q -o progress-a.png");
    on_terminal("TERM=xterm-256color", DRAW "--steps 120 --show -o progress-b.png");
    OK(limn_image_read(ctx, "progress-a.png", 0, &a));
    OK(limn_image_read(ctx, "progress-b.png", 0, &b));
    assert_memory_equal(a.pixels, b.pixels, (size_t)(64 * 64 * 3));
    limn_image_free(&a);
    limn_image_free(&b);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_are_told_in_their_order),
        cmocka_unit_test(a_job_that_is_stopped_anywhere_can_be_done_again),
        cmocka_unit_test(a_file_gets_a_line_for_each_stage),
        cmocka_unit_test(control_c_leaves_nothing_partial_at_any_stage),
        cmocka_unit_test(a_terminal_has_one_line_that_changes),
        cmocka_unit_test(the_picture_under_way_is_drawn_in_its_place),
        cmocka_unit_test(looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, write_model, NULL);
}
