/* lora_tags.c: see lora_tags.h. */
#include "text/lora_tags.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

static const char *const heads[] = {"<lora:", "<lyco:"};

/* Where the next tag begins and ends ('>' of it); what has no end is text. */
static bool find(const char *from, const char **begin, const char **end)
{
    for (const char *p = strchr(from, '<'); p; p = strchr(p + 1, '<'))
        for (int i = 0; i < 2; i++) {
            *begin = p, *end = strchr(p, '>');
            if (*end && strncmp(p, heads[i], strlen(heads[i])) == 0) return true;
        }
    return false;
}

static limn_status wrong(limn_ctx *ctx, const char *begin, const char *end, const char *says)
{
    char shown[300];
    return limn_fail(
        ctx, LIMN_BAD_ARGUMENT, "%s: %s",
        limn_escape(begin, (size_t)(end + 1 - begin) < 200 ? (size_t)(end + 1 - begin) : 200, shown, sizeof shown), says);
}

/* One part behind the name: a number, or te= or unet= and one. */
static bool read_part(const char *part, size_t n, int place, limn_lora_tag *out, bool *denoiser)
{
    char text[64], *end;
    if (n >= sizeof text) return false;
    memcpy(text, part, n);
    text[n] = '\0';
    bool te = strncmp(text, "te=", 3) == 0, unet = strncmp(text, "unet=", 5) == 0;
    const char *number = text + (te ? 3 : unet ? 5 : 0);
    double x = limn_number_parse(number, &end);
    if (end == number || *end || !(x >= -100 && x <= 100)) return false;
    if (unet || (!te && place == 1))
        out->denoiser = x, *denoiser = true;
    else
        out->text = x;
    return unet || te || place < 2;
}

limn_status limn_lora_tag_next(limn_ctx *ctx, const char *prompt, size_t *at, limn_lora_tag *out, bool *found)
{
    const char *begin, *end;
    *found = find(prompt + *at, &begin, &end);
    if (!*found) return LIMN_OK;
    const char *name = begin + strlen(heads[0]), *stop = name;
    while (stop < end && *stop != ':') stop++;
    size_t n = (size_t)(stop - name);
    *out = (limn_lora_tag){.denoiser = 1, .text = 1};
    if (n == 0 || n >= sizeof out->name) return wrong(ctx, begin, end, "expected the name of a file");
    memcpy(out->name, name, n);
    if (memchr(name, '/', n) || out->name[0] == '.')
        return wrong(ctx, begin, end, "expected the name of a file in the folder, not a path");
    bool denoiser = false;
    for (int place = 0; stop < end; place++) {
        const char *part = stop + 1;
        for (stop = part; stop < end && *stop != ':';) stop++;
        if (!read_part(part, (size_t)(stop - part), place, out, &denoiser))
            return wrong(ctx, begin, end, "expected <lora:NAME:WEIGHT> with a weight from -100 to 100");
    }
    if (!denoiser) out->denoiser = out->text;
    *at = (size_t)(end + 1 - prompt);
    return LIMN_OK;
}

char *limn_lora_tags_remove(const char *prompt)
{
    char *text = strdup(prompt);
    const char *begin, *end;
    while (text && find(text, &begin, &end)) memmove(text + (begin - text), end + 1, strlen(end + 1) + 1);
    return text;
}
