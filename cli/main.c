/* main.c: limn VERB ... */
#include "cli.h"

#include <string.h>

static const char help[] =
    "limn: describe, train and run denoising networks\n"
    "\n"
    "  limn generate \"man farmer\" -o farmer.png             a picture from words\n"
    "  limn generate \"woman mechanic\" -i farmer.png        a picture from words and a picture; --mask: only a part of it\n"
    "  limn denoise noisy.png --noise 40 -o clean.png       noise out of a picture\n"
    "  limn upscale small.png -o large.png                  a larger picture\n"
    "  limn train mmdit-emoji --data FOLDER --out RUN       train on a folder of captioned pictures\n"
    "  limn describe mmdit --set attention=joint            a network as text\n"
    "  limn encode -m VAE cat.png -o cat.safetensors        a picture to its latent; limn decode: back\n"
    "  limn interpolate -m VAE a.png b.png -o strip.png     pictures between two pictures; --seeds 1,2: between two seeds\n"
    "  limn segment -m MODEL cell.png -o mask.png           a class for every pixel, by a U-Net\n"
    "  limn convert in.safetensors out.gguf --type q8_0     weights in another type, format or under other names\n"
    "  limn inspect FILE                                    what is in a weight file or a picture\n"
    "  limn help VERB                                       all flags of a verb, with examples\n"
    "  limn --version\n"
    "\n"
    "Pictures and text go to files and stdout (-o -: one file on stdout), messages and progress to stderr.\n"
    "No result goes over what a job reads, nor over another result.  Words that begin with a dash go behind --.\n"
    "Exit codes: 0 done; 1 the work failed; 2 a wrong flag, name, file or size, and a sentence that says which;\n"
    "128 + n ended by signal n.\n";

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"generate", cli_generate}, {"train", cli_train},     {"describe", cli_describe},       {"inspect", cli_inspect},
    {"encode", cli_encode},     {"decode", cli_decode},   {"interpolate", cli_interpolate}, {"denoise", cli_denoise},
    {"upscale", cli_upscale},   {"segment", cli_segment}, {"convert", cli_convert},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static const struct verb *find_verb(const char *name)
{
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(name, verbs[i].name) == 0) return &verbs[i];
    limn_near near = limn_near_to(name, strlen(name));
    for (int i = 0; i < N_VERBS; i++) limn_near_try(&near, verbs[i].name, strlen(verbs[i].name));
    limn_near_try(&near, "help", 4);
    char shown[256];
    limn_escape(name, strlen(name), shown, sizeof shown);
    if (near.best) fprintf(stderr, "limn: there is no verb \"%s\"%s\n", shown, limn_near_text(&near));
    else {
        fprintf(stderr, "limn: there is no verb \"%s\"; there are", shown);
        for (int i = 0; i < N_VERBS; i++) fprintf(stderr, " %s,", verbs[i].name);
        fprintf(stderr, " help\n");
    }
    return NULL;
}

/* limn help VERB is limn VERB --help */
static int show_help(int argc, char **argv)
{
    if (argc < 3 || (argc == 3 && strcmp(argv[2], "help") == 0)) return fputs(help, stdout), 0;
    if (argc > 3) return fprintf(stderr, "limn help: expected one verb, found %d words\n", argc - 2), 2;
    const struct verb *verb = find_verb(argv[2]);
    return verb ? verb->run(3, (char *[]){argv[0], argv[2], (char[]){"--help"}, NULL}) : 2;
}

static int run(int argc, char **argv)
{
    if (argc < 2) return fputs(help, stderr), 2;
    if (strcmp(argv[1], "help") == 0) return show_help(argc, argv);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return fputs(help, stdout), 0;
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) return printf("limn %s\n", limn_version()), 0;
    const struct verb *verb = find_verb(argv[1]);
    return verb ? verb->run(argc, argv) : 2;
}

int main(int argc, char **argv)
{
    cli_begin(argv);
    return cli_end(run(argc, argv));
}
