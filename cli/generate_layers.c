/* generate_layers.c: see generate_layers.h. */
#include "generate_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "7,8,9", also "[7, 8, 9]" and with spaces alone. */
static bool read_list(const char *text, uint64_t *out)
{
    static const char between[] = " ,[]";
    uint64_t all = 0;
    if (!text) return true;
    for (const char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
        char *end;
        unsigned long i = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 64;
        if (i > 63) {
            fprintf(stderr, "limn: --skip-layers: expected blocks from 0 to 63 as in 7,8,9, found \"%.60s\"\n", text);
            return false;
        }
        all |= UINT64_C(1) << i, at = end;
    }
    return *out = all, true;
}

bool generate_layers_read(const generate_layer_words *w, limn_generate_options *out)
{
    bool others = w->layers || w->start || w->end;
    if (others && !w->scale) {
        fprintf(stderr, "limn: --skip-layers, --skip-layer-start and --skip-layer-end are for skip-layer guidance: say how "
                "much of it (--slg-scale 2.5)\n");
        return false;
    }
    return cli_real("--slg-scale", w->scale, -100, 100, &out->slg_scale) && read_list(w->layers, &out->skip_layers) &&
           cli_real("--skip-layer-start", w->start, 0, 1, &out->skip_layer_start) &&
           cli_real("--skip-layer-end", w->end, 0, 1, &out->skip_layer_end);
}
