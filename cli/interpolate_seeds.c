/* interpolate_seeds.c: limn interpolate --seeds 1,2 "words" -o strip.png */
#include "cli.h"
#include "generate_verb.h"

static const char help[] =
    "limn interpolate --seeds A,B [PROMPT] [flags]\n"
    "\n"
    "Pictures between the picture of one seed and that of another: each starts from noise on the arc between the two "
    "noises.\n"
    "The result is a strip, or with the ending .apng an animation.\n"
    "\n"
    "example: limn interpolate --seeds 1,2 -n 8 \"man farmer\" -o strip.png\n"
    "\n"
    "  -n 8                        pictures, both ends among them\n"
    "  -i, --init-img FILE         of a model that changes a picture (InstructPix2Pix): that picture\n"
    GENERATE_HELP("models/emoji", "3", RNG_HELP);

int cli_interpolate_seeds(int argc, char **argv)
{
    return generate_run(argc, argv, &(generate_verb){.name = "interpolate", .help = help, .between = true});
}
