/* cli.h: what the verbs share.  Exit codes: 0 done, 1 the work failed, 2 a wrong flag, file or size; 128 + n (as a shell
 * shows it) ended by signal n. */
#ifndef LIMN_CLI_H
#define LIMN_CLI_H

#include "base/base.h"
#include "file/bytes.h"
#include "file/target.h"

#include <jansson.h>

/* One flag: "-s", "--seed"; text NULL: it takes no value. */
typedef struct cli_flag {
    const char *shorter, *longer;
    const char **text;  /* where the value goes */
    bool *on;           /* or: a switch; both: the value is a number, and may be missing */
} cli_flag;

/** Read argv[2..]; words without a dash, and all behind "--", go to words[] (at most max_words).
 *  @return number of words, -1 after a message */
int cli_parse(int argc, char **argv, const cli_flag *flags, const char **words, int max_words);
/** What to use in place of a flag that there is not; NULL: nothing is known of it. */
typedef const char *cli_instead(const char *name, size_t n);
/** The same, where flags of another program are told from mistakes. */
int cli_parse_with(int argc, char **argv, const cli_flag *flags, const char **words, int max_words, cli_instead *instead);
/** A whole or real number within a range, or a message and false. */
bool cli_integer(const char *flag, const char *text, long low, long high, long *out);
bool cli_real(const char *flag, const char *text, double low, double high, double *out);
/** Two whole numbers with a letter between them, as the form "WxH" says; form NULL: a number alone is both.  text NULL
 *  leaves a and b.  @return false after a message */
bool cli_pair(const char *flag, const char *form, char between, const char *text, long low, long high, int *a, int *b);
/** What was expected where text up to end, read as value, is no decimal number or one that a 32-bit float does not hold
 *  (1e-50 would become 0); else NULL. */
const char *cli_not_float(const char *text, const char *end, double value);
/** The message that flags do not go together.  @return false */
bool cli_lacks(const char *sentence);
/** low < high also as 32-bit floats, or a message and false. */
bool cli_interval(const char *flag, double low, double high);
/** The place of text among "a, b, c", or a message and false; text NULL leaves *out. */
bool cli_choice(const char *flag, const char *words, const char *text, int *out);
bool cli_precision(const char *text, limn_precision *out);
/** "2G", "1500M", of a thousand each: bytes, or a message and false; text NULL leaves *out. */
bool cli_memory(const char *flag, const char *text, size_t *out);

/* How an autoencoder works, as it was typed; the names are those of stable-diffusion.cpp. */
typedef struct cli_tiling_words {
    bool on;
    const char *size, *overlap;
} cli_tiling_words;
#define CLI_TILING_FLAGS(w)                                                                                                 \
    {NULL, "--vae-tiling", NULL, &(w).on}, {NULL, "--vae-tile-size", &(w).size, NULL},                                      \
    {                                                                                                                       \
        NULL, "--vae-tile-overlap", &(w).overlap, NULL                                                                      \
    }
/** @return false after a message */
bool cli_tiling(const cli_tiling_words *w, limn_tiling *out);
/** NET and every --set NAME=VALUE of the command line, in order, as one text: limn_train_options.network.  @param out  the
 *  caller's, limn_text_free() */
limn_status cli_network(limn_ctx *ctx, int argc, char **argv, const char *net, limn_text *out);

enum { CLI_MOST_LORAS = 32 };
/** Every --lora FILE[:WEIGHT]; the paths lie in argv.  @return how many; -1 after a message */
int cli_loras(int argc, char **argv, limn_lora_file out[CLI_MOST_LORAS]);

/** -o - is stdout: "/dev/stdout", which the library knows as a descriptor; any other path is itself, also NULL. */
const char *cli_output(const char *path);
/** The name of a file that was written, on stdout, unless the file itself went there. */
void cli_tell_written(const char *path);

/** The model that -m gave, or without it one that ships ("models/emoji"): in this folder, else where Limn was installed.
 *  @param installed  room for that path; *out is given, own or installed
 *  @return LIMN_NOT_FOUND: it is in neither */
limn_status cli_model(limn_ctx *ctx, const char *given, const char *own, char installed[LIMN_PATH_BYTES], const char **out);

/** The path of a plugin: beside the program, else where Limn was installed.  @return LIMN_NOT_FOUND */
limn_status cli_plugin(limn_ctx *ctx, const char *name, char out[LIMN_PATH_BYTES]);

/** Whether the locale's characters are UTF-8; whether a stream may be coloured (NO_COLOR, TERM, a terminal). */
bool cli_utf8(void);
bool cli_color(FILE *stream);
/** 1234567 -> "1.2 MB".  out needs 32 bytes. @return out */
const char *cli_bytes(double n, char *out);

/** First thing in main(): waiting threads shall not spin for long, closed descriptors become /dev/null, SIGPIPE is ignored.
 *  Last thing: what of stdout did not arrive.  @return the exit code */
void cli_begin(char **argv);
int cli_end(int code);
/** Print JSON; whether stdout took it, cli_end() tells.  root NULL: memory is out */
limn_status cli_print_json(limn_ctx *ctx, const json_t *root);

/** A context whose files do not stay half written when a signal that people, terminals and clusters send ends the program;
 *  one at a time.  NULL after a message */
limn_ctx *cli_ctx_new(void);
void cli_ctx_free(limn_ctx *ctx);
/** The handler of cli_ctx_new(), also for a verb that did something else with the first signal: no partial file stays, the
 *  signal ends the program. */
void cli_end_by(int signal_number);
/** End now as the signal does that nobody handles.  @return 128 + signal_number, where it does not end a process (the first
 *  of a container) */
int cli_die(int signal_number);
/** Have a signal handled so; one that was ignored from the start (nohup, a script's background) stays ignored. */
void cli_handle(int signal_number, void (*handler)(int));

/** The exit code of a status other than LIMN_OK; print "limn: sentence" before that. */
int cli_code(limn_status status);
int cli_fail(limn_ctx *ctx, limn_status status);

int cli_describe(int argc, char **argv);
int cli_train(int argc, char **argv);
int cli_generate(int argc, char **argv);
int cli_denoise(int argc, char **argv);
int cli_upscale(int argc, char **argv);
int cli_interpolate_seeds(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_encode(int argc, char **argv);
int cli_decode(int argc, char **argv);
int cli_interpolate(int argc, char **argv);
int cli_segment(int argc, char **argv);
int cli_convert(int argc, char **argv);

#endif
