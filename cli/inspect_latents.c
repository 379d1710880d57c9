/* inspect_latents.c: latents that limn encode made, under limn inspect. */
#include "inspect.h"

#include <math.h>
#include <string.h>

/* In float: gcc 12 for 64-bit ARM ends with an internal error where least and most of floats are made in double. */
static void range(int n, const float *x, float *low, float *high)
{
    *low = HUGE_VALF, *high = -HUGE_VALF;
    for (int k = 0; k < n; k++) *low = fminf(*low, x[k]), *high = fmaxf(*high, x[k]);
}

void cli_latents_print(const limn_inspected_latents *l)
{
    const limn_latents *all = &l->all;
    char shown[256];
    float low, high, least, most;
    if (l->kind == LIMN_ONE_LATENT)
        printf("latent    %d x %d x %d of a picture of %d x %d, for limn decode\n", all->width, all->height, all->channels,
               l->image_width, l->image_height);
    else {
        printf("latents   %lld of %d x %d x %d, for limn train --latents\n", (long long)all->count, all->width, all->height,
               all->channels);
        printf("          scale %.9g, shift %.9g: (latent - shift) scale has mean 0 and spread 1\n", all->scale, all->shift);
    }
    range(all->channels, l->mean, &low, &high);
    range(all->channels, l->spread, &least, &most);
    printf("          channels: means from %g to %g, spreads from %g to %g\n", (double)low, (double)high,
           (double)least, (double)most);
    if (all->settings[0]) printf("made by   %s\n", limn_escape(all->settings, strlen(all->settings), shown, sizeof shown));
    if (all->vae[0]) printf("          %s\n", limn_escape(all->vae, strlen(all->vae), shown, sizeof shown));
}
