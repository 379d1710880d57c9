/* upscale.c: limn upscale small.png -o large.png */
#include "cli.h"
#include "generate_verb.h"

static const char help[] =
    "limn upscale PICTURE -o LARGE [flags]\n"
    "\n"
    "Enlarges a picture with a network that was trained to (setting enlarge): from noise, with the small picture as its "
    "condition.\n"
    "\n"
    "examples:\n"
    "  limn upscale models/upscale/small.png -o hero.png\n"
    "  limn upscale models/upscale/small.png -n 4 --grid -o heroes.png\n"
    "  limn train ddpm-sr --data FOLDER --out runs/sr\n"
    "  limn upscale -m runs/sr small.png -o large.png\n"
    "\n" GENERATE_HELP("models/upscale", "3", MANY_HELP RNG_HELP) "\n"
    "The picture must have the model's small size: 16 x 16 for models/upscale; with -W and -H, sides of the large picture,\n"
    "theirs divided by how much it enlarges.  Exit code 2: a wrong flag, file or size.\n";

int cli_upscale(int argc, char **argv)
{
    return generate_run(argc, argv,
                        &(generate_verb){.name = "upscale", .help = help, .reads_picture = true, .enlarges = true});
}
