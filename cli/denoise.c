/* denoise.c: limn denoise noisy.png --noise 40 -o clean.png */
#include "cli.h"
#include "generate_verb.h"

static const char help[] =
    "limn denoise PICTURE --noise S [flags]\n"
    "\n"
    "Takes noise out of a picture with a model that knows such pictures: it sets out at the level where the model has met "
    "as much noise.\n"
    "\n"
    "examples:\n"
    "  limn denoise noisy.png --noise 40 -o clean.png\n"
    "  limn denoise noisy.png --noise 60 --noise-left 30 -p \"woman firefighter, medium skin tone\" -o better.png\n"
    "\n"
    "      --noise S               standard deviation of the noise in the picture, grey levels of 0 to 255\n"
    "      --noise-left S          how much of it to leave (0)\n" GENERATE_HELP(
        "models/emoji", "1", MANY_HELP) "\n"
                                        "The picture is brought to the size of the model's pictures; its noise says where "
                                        "the levels lie, and --scheduler is not for it.\n"
                                        "For a model of latents it is measured, at the picture, how far such noise moves "
                                        "them; what is left of it is the picture's own.\n"
                                        "Exit code 2: a wrong flag, file or size.\n";

int cli_denoise(int argc, char **argv)
{
    return generate_run(argc, argv,
                        &(generate_verb){.name = "denoise", .help = help, .reads_picture = true, .denoises = true});
}
