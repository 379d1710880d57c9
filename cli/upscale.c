/* upscale.c: limn upscale small.png -o large.png */
#include "cli.h"
#include "generate_verb.h"

static const char help[] =
    "limn upscale PICTURE -o LARGE [flags]\n"
    "\n"
    "Enlarges a picture with a network that was trained to (setting enlarge): from noise, with the small picture as its "
    "condition;\n"
    "or with a model of latents (Stable Diffusion): the picture, enlarged between its pixels, is drawn anew in tiles that\n"
    "overlap, each a part of the way from noise, and where they overlap they fade into each other.\n"
    "\n"
    "examples:\n"
    "  limn upscale models/upscale/small.png -o hero.png\n"
    "  limn upscale models/upscale/small.png -n 4 --grid -o heroes.png\n"
    "  limn train ddpm-sr --data FOLDER --out runs/sr\n"
    "  limn upscale -m runs/sr small.png -o large.png\n"
    "  limn upscale -m v1-5-pruned-emaonly.safetensors photo.png -p \"a lighthouse, sharp\" -o large.png\n"
    "\n"
    "with a model of latents:\n"
    "      --scale F               times the sides become, 1 to 8 (2)\n"
    "      --strength X            0 to 1 (0.3): how much of the way from noise each tile goes once more; 0 only enlarges\n"
    "      --tile N                side of the tiles (that of the pictures the model was trained with)\n"
    "      --overlap N             pixels that neighbours share at least (an eighth of a tile)\n"
    "all:\n" GENERATE_HELP("models/upscale", "3", MANY_HELP RNG_HELP) "\n"
    "A network that was trained to enlarge takes pictures of its small size: 16 x 16 for models/upscale; with -W and -H,\n"
    "sides of the large picture, theirs divided by how much it enlarges.  A model of latents takes pictures of any size; "
    "tile i\n"
    "has the noise of seed + i.\n"
    "Exit code 2: a wrong flag, file or size.\n";

bool upscale_read(const upscale_words *w, limn_upscale_options *out)
{
    long tile = 0, overlap = 0;
    *out = (limn_upscale_options){.scale = 2};
    if (!cli_real("--scale", w->scale, 1, 8, &out->scale) || !cli_integer("--tile", w->tile, 8, 16384, &tile) ||
        !cli_integer("--overlap", w->overlap, 1, 16384, &overlap))
        return false;
    out->tile = (int)tile, out->overlap = (int)overlap;
    return true;
}

limn_status upscale_check(limn_ctx *ctx, const limn_pipeline_info *info, const upscale_words *w)
{
    const char *flag = w->scale      ? "--scale"
                       : w->tile     ? "--tile"
                       : w->overlap  ? "--overlap"
                       : w->strength ? "--strength"
                                     : NULL;
    if (info->enlarges && flag)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is for models of latents, and this one (%s) was trained to enlarge %d "
                         "times: leave it out", flag, info->network, info->enlarges);
    if (info->enlarges) return LIMN_OK;
    if (!info->makes_latents)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "this model (%s) does not enlarge pictures: it was trained without the setting enlarge, and not on "
                         "latents", info->network);
    flag = w->width ? "--width" : w->height ? "--height" : w->count ? "--batch-count" : NULL;
    return flag ? limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is not for enlarging with a model of latents, which makes one "
                            "picture, --scale times as large: leave it out", flag)
                : LIMN_OK;
}

int cli_upscale(int argc, char **argv)
{
    return generate_run(argc, argv,
                        &(generate_verb){.name = "upscale", .help = help, .reads_picture = true, .enlarges = true});
}
