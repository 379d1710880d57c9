/* test_train_cli.c: limn train as a person meets it: wrong flags are one sentence and exit code 2, a signal saves, --resume
 * goes on. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define PROGRAM LIMN_BINARY_DIR "/limn"
#define LARGE "size=4 channels=1 patch=4 width=384 depth=4 heads=2 mlp=1536"
#define TINY "size=8 width=2 multipliers=12 groups=1 heads=1 text_width=8 text_depth=1 text_heads=1 text_encoder=clip " \
             "text_vocab=514 "
#define SMALL "size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16"
enum { MAX_ARGS = 48 };

/* Start `limn train` with arguments separated by "|"; what it says on stderr goes to cli.err. */
static pid_t begin(const char *arguments)
{
    char *copy = strdup(arguments), *argv[MAX_ARGS] = {(char *)"limn", (char *)"train"};
    int n = 2;
    for (char *p = copy, *bar; p && *p && n < MAX_ARGS - 1; p = bar) {
        bar = strchr(p, '|');
        if (bar) *bar++ = '\0';
        argv[n++] = p;
    }
    pid_t child = fork();
    if (child == 0) {
        int fd = open("cli.err", O_WRONLY | O_CREAT | O_TRUNC, 0666), none = open("/dev/null", O_WRONLY);
        dup2(fd, 2);
        dup2(none, 1);
        execv(PROGRAM, argv);
        _exit(127);
    }
    free(copy);
    assert_true(child > 0);
    return child;
}

static int end(pid_t child, char *text, size_t size)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *f = fopen("cli.err", "r"); /* its end: a fast machine prints many steps before a signal arrives */
    if (fseek(f, -(long)(size - 1), SEEK_END) != 0) rewind(f);
    size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void every_wrong_value_is_one_sentence_and_exit_code_2(void **state)
{
    (void)state;
    static const struct { const char *arguments, *word;
    } rows[] = {
        {"", "--data"},
        {"dit|--data|shapes", "--out"},
        {"ditt|--data|shapes|--out|run-cli", "ditt"},
        {"dit|more|--data|shapes|--out|run-cli", "more"},
        {"dit|--data|shapes|--out|run-cli|--set|depth=0", "depth"},
        {"dit|--data|shapes|--out|run-cli|--set|depht=3", "depht"},
        {"dit|--data|shapes|--out|run-cli|--batch|0", "--batch"},
        {"dit|--data|shapes|--out|run-cli|--batch|x", "--batch"},
        {"dit|--data|shapes|--out|run-cli|--accumulate|0", "--accumulate"},
        {"dit|--data|shapes|--out|run-cli|--steps|1.5", "--steps"},
        {"dit|--data|shapes|--out|run-cli|--lr|-1", "--lr"},
        {"dit|--data|shapes|--out|run-cli|--lr|nan", "--lr"},
        {"dit|--data|shapes|--out|run-cli|--lr", "--lr"},
        {"dit|--data|shapes|--out|run-cli|--drop|2", "--drop"},
        {"dit|--data|shapes|--out|run-cli|--ema|1.5", "--ema"},
        {"dit|--data|shapes|--out|run-cli|--precision|f16", "--precision"},
        {"dit|--data|shapes|--out|run-cli|--schedule|sigmoid", "--schedule"},
        {"dit|--data|shapes|--out|run-cli|--prediction|noise", "--prediction"},
        {"dit|--data|shapes|--out|run-cli|--weighting|snr", "--weighting"},
        {"dit|--data|shapes|--out|run-cli|--schedule|linear|--prediction|flow", "flow"},
        {"dit|--data|shapes|--out|run-cli|--seed|-1", "--seed"},
        {"dit|--data|shapes|--out|run-cli|--threads|99999", "--threads"},
        {"dit|--data|shapes|--out|run-cli|--sample-every|-1", "--sample-every"},
        {"dit|--data|shapes|--out|run-cli|--sample-prompts|a", "--sample-every"},
        {"dit|--data|shapes|--out|run-cli|--contrastive|1", "text_encoder=clip"},
        {"dit|--data|no-such-folder|--out|run-cli", "no-such-folder"},
        {"ldm-unet|--data|shapes|--out|run-cli|--set|" TINY "inpaint=1", "fills in what a mask shows is not trained here"},
        {"ldm-unet|--data|shapes|--out|run-cli|--set|" TINY "edit=1", "changes a picture that it sees is not trained here"},
        {"ldm-unet|--data|shapes|--out|run-cli|--set|" TINY "guidance_width=8", "is told the guidance is not trained here"},
        {"ldm-unet|--data|shapes|--out|run-cli|--set|inpaint=1", "fills in what a mask shows is not trained here"},
        {"ldm-unet|--data|shapes|--out|run-cli|--set|sizes=6 pooled_width=64",
         "told the sides of the picture (Stable Diffusion XL) is not trained here: expected one that reads a noisy picture "
         "alone (--set \"sizes=0 pooled_width=0\")"},
        {"sdxl-unet|--data|shapes|--out|run-cli|--init|no-such-file", "told the sides of the picture"},
        {"dit|--data|shapes|--out|run-cli|--init|no-such-file|--set|" SMALL, "no-such-file"},
        {"dit|--data|shapes|--out|run-cli|--resume|--set|" SMALL, "run-cli/checkpoint.safetensors"},
        {"dit|--data|shapes|--out|run-cli|--resume|--init|x", "--init"},
        {"mmdit-emoji|--data|shapes|--out|run-cli|--merges|no-such-file|--set|size=16", "no-such-file"},
        {"dit|--data|shapes|--out|/dev/null/run|--set|" SMALL, "/dev/null/run"},
        {"dit|--data|shapes|--out|run-cli|--set|learn_sigma=1", "--schedule"},
        {"mmdit|--data|shapes|--out|run-cli", "text_encoder=clip"},
        {"clip-text|--data|shapes|--out|run-cli", "clip-text"},
        {"dit|--data|shapes|--out|run-cli|--quiet", "--quiet"},
        {"dit|--data|shapes|--out|run-cli|--time-std|0|--time-mean|1",
         "timesteps without a spread are uniform and have no mean, found 1"},
        {"dit|--data|shapes|--out|-", "./- is a folder of that name"},
        {"dit|--data=|--out|run-cli", "the folder of the data has no name"},
        {"unet|--data=|--out|run-cli|--set|size=32", "the folder of the data has no name"},
        {"dit|--data|shapes|--out=|--set|" SMALL, "(--out) has no name"},
        {"dit|--data|shapes|--out|run-cli|--where|split=train|--set|" SMALL, "--where"},
        {"unet|--data|shapes|--out|run-cli|--discriminator|1",
         "--discriminator is for autoencoders (vae, tae); this training of unet has no use for it"},
        {"dit|--data|shapes|--out|run-cli|--merges|m",
         "--merges is for networks with a text encoder (text_encoder=clip); this training of dit"},
        {"vae|--data|shapes|--out|run-cli|--merges|m", "--merges is for"},
        {"vae|--data|shapes|--out|run-cli|--class-weights|1,2", "--class-weights is for networks of classes"},
        {"unet|--data|shapes|--out|run-cli|--loss|dice|--class-weights|1,2", "with every --loss but dice"},
        {"dit|--data|shapes|--out|run-cli|--loss|ce", "--loss is for"},
        {"tae|--data|shapes|--out|run-cli|--kl|1e-6", "--kl is for autoencoders whose latents are a distribution"},
        {"unet|--data|shapes|--out|run-cli|--crop|centre", "--crop is for"},
        {"unet|--data|shapes|--out|run-cli|--differences|1", "--differences is for autoencoders (vae, tae)"},
        {"tae|--data|shapes|--out|run-cli|--discriminator-start|5", "with --discriminator above 0"},
        {"unet|--data|shapes|--out|run-cli|--where|a=b", "--where is for"},
        {"dit|--data|shapes|--out|run-cli|--gamma|4", "with --weighting min-snr"},
        {"dit|--data|shapes|--out|run-cli|--schedule|linear|--time-std|2", "with --schedule flow"},
        {"dit|--data|shapes|--out|run-cli|--drop|0.2", "--drop is for networks that are told words"},
        {"adm-64|--data|shapes|--out|run-cli|--drop|0.2", "always_labelled=0"},
        {"dit|--latents|x|--out|run-cli",
         "x/latents.safetensors is not there: expected a folder of latents that limn encode wrote to its end"},
        {"unet|--latents|x|--out|run-cli", "--latents is for networks that denoise"},
        {"vae|--data|shapes|--out|run-cli|--schedule|flow", "--schedule is for networks that denoise"},
        {"unet|--data|shapes|--out|run-cli|--flip", "--augment flip=1"},
        {"dit|--data|shapes|--out|run-cli|--label-field|a", "--label-field is for"},
        {"mmdit-emoji|--data|shapes|--out|run-cli|--label-field|a", "--label-field is for"},
        {"ddpm-digits|--data|shapes|--out|run-cli|--caption-field|a", "--caption-field is for"},
        {"dit|--data|shapes|--out|run-cli|--no-captions", "--no-captions is for networks with a text encoder"},
        {"dit|--data|shapes|--out|run-cli|--lr|1e-50",
         "--lr expects 0 or a number from 1.2e-38 to 3.4e+38, which 32-bit floats hold, found \"1e-50\""},
        {"dit|--data|shapes|--out|run-cli|--lr|1e-400", "which 32-bit floats hold"},
        {"dit|--data|shapes|--out|run-cli|--lr|1e39", "--lr expects a number from 0 to 10"},
        {"dit|--data|shapes|--out|run-cli|--lr|0x1p-9", "--lr expects a number in decimal digits, found \"0x1p-9\""},
        {"dit|--data|shapes|--out|run-cli|--lr| 0.1", "--lr expects a number in"},
        {"dit|--data|shapes|--out|run-cli|--lr=", "--lr expects a number from 0 to 10, found \"\""},
        {"dit|--data|shapes|--out|run-cli|--lr|1e-3x", "--lr"},
        {"dit|--data|shapes|--out|run-cli|--steps|1e3", "--steps expects a whole number"},
        {"dit|--data|shapes|--out|run-cli|--steps|0x10", "--steps"},
        {"dit|--data|shapes|--out|run-cli|--steps| 5", "--steps"},
        {"dit|--data|shapes|--out|run-cli|--steps|99999999999999999999", "--steps"},
        {"unet|--data|shapes|--out|run-cli|--class-weights|1,1e39",
         "--class-weights expects weights of 0, or 1e-20 to 1e+20, found \"1,1e39\""},
        {"unet|--data|shapes|--out|run-cli|--class-weights|1,1e-50", "--class-weights"},
        {"unet|--data|shapes|--out|run-cli|--class-weights|1,0x2", "--class-weights"},
        {"unet|--data|shapes|--out|run-cli|--class-weights|1,1e-400", "--class-weights"},
        {"unet|--data|shapes|--out|run-cli|--class-weights|1,nan", "--class-weights"},
        {"unet|--data|shapes|--out|run-cli|--augment|rotate=1e-400", "--augment expects 0 or a number from"},
        {"unet|--data|shapes|--out|run-cli|--augment|flip=nan", "--augment"},
        {"unet|--data|shapes|--out|run-cli|--augment|flip=2", "flip, mirror and turn of 0 or 1"},
        {"unet|--data|shapes|--out|run-cli|--augment|gamma=0x1", "decimal digits"},
        {"unet|--data|shapes|--out|run-cli|--range|0,1e39",
         "--range expects two numbers that differ as 32-bit floats, found 0 and 1e+39"},
        {"unet|--data|shapes|--out|run-cli|--range|1,1.00000001", "--range expects two numbers that differ"},
        {"unet|--data|shapes|--out|run-cli|--fold|0/99999999999999", "--fold is one of part/parts"},
        {"unet|--data|shapes|--out|run-cli|--fold|+1/5", "--fold"},
        {"mmdit-emoji|--data|shapes|--out|run-cli|--range|0,1", "--range is for"},
        {"ddpm|--data|shapes|--out|run-cli|--fold|0/5", "--fold is for"},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code = end(begin(rows[i].arguments), text, sizeof text);
        const char *newline = strchr(text, '\n');
        if (code != 2 || !newline || newline[1] || strncmp(text, "limn", 4) || !strstr(text, rows[i].word))
            fail_msg("%s: exit code %d, expected one sentence with \"%s\": %s", rows[i].arguments, code, rows[i].word, text);
    }
    assert_int_equal(access("run-cli", F_OK), -1);
}

static long last_step(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256];
    long step = 0;
    while (f && fgets(line, sizeof line, f)) step = strtol(line, NULL, 10);
    if (f) fclose(f);
    return step;
}

static void a_signal_saves_and_resume_goes_on(void **state)
{
    (void)state;
    char text[4096];
    unlink("deep/run-signal/log.csv");
    signal(SIGINT, SIG_IGN); /* as a script has it for what it starts in the background: Ctrl-C is not meant for it */
    pid_t child =
        begin("dit|--data|shapes|--out|deep/run-signal|--steps|100000000|--batch|2|--log-every|1|--threads|1|--set|" SMALL);
    for (int i = 0; i < 2000 && last_step("deep/run-signal/log.csv") < 3; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    signal(SIGINT, SIG_DFL);
    assert_int_equal(kill(child, SIGINT), 0);
    long ignored = last_step("deep/run-signal/log.csv");
    for (int i = 0; i < 2000 && last_step("deep/run-signal/log.csv") < ignored + 3; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(last_step("deep/run-signal/log.csv") >= ignored + 3);
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(end(child, text, sizeof text), -SIGTERM);
    assert_non_null(strstr(text, "saved"));
    assert_non_null(strstr(text, "--resume"));
    long stopped = last_step("deep/run-signal/log.csv");
    assert_true(stopped >= 3);
    child = begin(
        "dit|--data|shapes|--out|deep/"
        "run-signal|--steps|100000000|--batch|2|--log-every|1|--threads|1|--resume|--minutes|0.0000000001|--set|" SMALL);
    assert_int_equal(end(child, text, sizeof text), 0);
    assert_non_null(strstr(text, "going on from step"));
    assert_int_equal(last_step("deep/run-signal/log.csv"), stopped + 1);
}

static void snooze(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

/* The network's checkpoint has 113 MB.  SIGHUP as soon as its partial file is seen ends the program when it is whole; Ctrl-C
 * while a step runs, and again when the file is seen, ends it at once.  A busy machine may miss that.  @return whether it
 * was ended so */
static bool interrupt_a_save(bool twice)
{
    static const char partial[] = "run-signal/.checkpoint.safetensors.partial";
    char text[4096];
    int status;
    unlink("run-signal/log.csv");
    pid_t child = begin(twice ? "dit|--data|shapes|--out|run-signal|--steps|1000|--batch|1|--accumulate|16|--log-every|1|--"
                                "threads|1|--set|" LARGE
                              : "dit|--data|shapes|--out|run-signal|--steps|1|--batch|1|--threads|1|--set|" LARGE);
    while (twice && last_step("run-signal/log.csv") < 1) snooze(1);
    if (twice) kill(child, SIGINT), snooze(300);
    while (access(partial, F_OK) != 0) {
        if (waitpid(child, &status, WNOHANG) == child) return assert_true(twice || status == 0), false;
        snooze(1);
    }
    kill(child, twice ? SIGINT : SIGHUP);
    int code = end(child, text, sizeof text);
    if (access(partial, F_OK) == 0) fail_msg("%s is still there", partial);
    if (code != (twice ? -SIGINT : -SIGHUP)) fail_msg("code %d: %s", code, text);
    return !twice || !strstr(text, "saved");
}

static void a_signal_in_a_write_leaves_no_partial_file(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        int ended = 0;
        for (int i = 0; i < 10 && !ended; i++) ended += interrupt_a_save(twice);
        assert_true(ended);
    }
    unlink("run-signal/checkpoint.safetensors");
    unlink("run-signal/checkpoint.old.safetensors");
    unlink("run-signal/model.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wrong_value_is_one_sentence_and_exit_code_2),
        cmocka_unit_test(a_signal_saves_and_resume_goes_on),
        cmocka_unit_test(a_signal_in_a_write_leaves_no_partial_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
