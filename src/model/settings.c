/* settings.c: the numbers of a network, by name. */
#include "graph/node.h"
#include "model/blocks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int index_of(const limn_family *family, const char *name, size_t n)
{
    for (int i = 0; family->settings[i].name; i++)
        if (strlen(family->settings[i].name) == n && strncmp(family->settings[i].name, name, n) == 0) return i;
    return -1;
}

void limn_settings_defaults(limn_settings *s, const limn_family *family)
{
    *s = (limn_settings){.family = family};
    for (int i = 0; family->settings[i].name; i++) s->value[i] = family->settings[i].value;
    if (family->imply) family->imply(s);
}

static const limn_family *family_named(const char *name, size_t n)
{
    for (int i = 0; limn_families[i]; i++)
        if (strlen(limn_families[i]->name) == n && strncmp(limn_families[i]->name, name, n) == 0) return limn_families[i];
    return NULL;
}

limn_status limn_settings_apply(limn_ctx *ctx, limn_settings *s, const char *text)
{
    while (*(text += strspn(text, " "))) {
        char one[128];
        size_t n = strcspn(text, " ");
        if (n >= sizeof one) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a setting of %zu characters is too long", n);
        memcpy(one, text, n);
        one[n] = '\0';
        limn_status status = limn_settings_set(ctx, s, one);
        if (status != LIMN_OK) return status;
        text += n;
    }
    return LIMN_OK;
}

/* The nearest name, or all of them where none is near. */
static limn_status unknown_network(limn_ctx *ctx, const char *name)
{
    limn_text names = {0};
    limn_near near = limn_near_to(name, strlen(name));
    for (int i = 0; limn_families[i]; i++) {
        limn_text_printf(&names, " %s", limn_families[i]->name);
        limn_near_try(&near, limn_families[i]->name, strlen(limn_families[i]->name));
    }
    for (int i = 0; limn_presets[i].name; i++) {
        limn_text_printf(&names, " %s", limn_presets[i].name);
        limn_near_try(&near, limn_presets[i].name, strlen(limn_presets[i].name));
    }
    char shown[256];
    limn_fail(ctx, LIMN_NOT_FOUND, "there is no network \"%s\"%s%s", limn_escape(name, strlen(name), shown, sizeof shown),
              near.best ? limn_near_text(&near) : "; there are:", near.best || !names.bytes ? "" : names.bytes);
    limn_text_free(&names);
    return LIMN_NOT_FOUND;
}

limn_status limn_settings_find(limn_ctx *ctx, const char *name, limn_settings *out)
{
    const limn_family *family = family_named(name, strlen(name));
    if (family) {
        limn_settings_defaults(out, family);
        return LIMN_OK;
    }
    for (int i = 0; limn_presets[i].name; i++)
        if (strcmp(limn_presets[i].name, name) == 0) {
            limn_settings_defaults(out, family_named(limn_presets[i].family, strlen(limn_presets[i].family)));
            return limn_settings_apply(ctx, out, limn_presets[i].settings);
        }
    return unknown_network(ctx, name);
}

limn_status limn_settings_named(limn_ctx *ctx, const char *text, limn_settings *out)
{
    char name[128];
    text += strspn(text, " ");
    size_t n = strcspn(text, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name), text);
    limn_status status = limn_settings_find(ctx, name, out);
    return status == LIMN_OK ? limn_settings_apply(ctx, out, text + n) : status;
}

/* Index of word in "a|b|c", or -1 */
static int choice_of(const char *choices, const char *word)
{
    for (int i = 0; *choices; i++) {
        size_t n = strcspn(choices, "|");
        if (strlen(word) == n && strncmp(choices, word, n) == 0) return i;
        choices += n + (choices[n] == '|');
    }
    return -1;
}

static limn_status unknown(limn_ctx *ctx, const limn_settings *s, const char *assignment)
{
    limn_text names = {0};
    size_t n = strcspn(assignment, "=");
    limn_near near = limn_near_to(assignment, n);
    for (int i = 0; s->family->settings[i].name; i++) {
        limn_text_printf(&names, " %s", s->family->settings[i].name);
        limn_near_try(&near, s->family->settings[i].name, strlen(s->family->settings[i].name));
    }
    char shown[256];
    limn_escape(assignment, n, shown, sizeof shown);
    if (!assignment[n])
        limn_fail(ctx, LIMN_BAD_ARGUMENT, "a setting is name=value, as in %s=%d; found \"%s\"", s->family->settings[0].name,
                  s->family->settings[0].value, shown);
    else
        limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s has no setting \"%s\"%s%s", s->family->name, shown,
                  near.best ? limn_near_text(&near) : "; there are:", near.best || !names.bytes ? "" : names.bytes);
    limn_text_free(&names);
    return LIMN_BAD_ARGUMENT;
}

static limn_status wrong_choice(limn_ctx *ctx, const limn_setting *row, const char *found)
{
    limn_near near = limn_near_to(found, strlen(found));
    for (const char *word = row->choices; *word; word += strcspn(word, "|"), word += *word == '|')
        limn_near_try(&near, word, strcspn(word, "|"));
    char shown[256];
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is one of %s, found \"%s\"%s", row->name, row->choices,
                     limn_escape(found, strlen(found), shown, sizeof shown), limn_near_text(&near));
}

/* Every change may move what follows from it. */
static limn_status give(limn_settings *s, int i, int value)
{
    s->value[i] = value;
    s->given[i] = true;
    if (s->family->imply) s->family->imply(s);
    return LIMN_OK;
}

void limn_settings_default(limn_settings *s, const char *name, int value)
{
    int i = index_of(s->family, name, strlen(name));
    if (i >= 0 && !s->given[i]) s->value[i] = value;
}

/* The row that "name=value" is meant for: a number given to a choice (attention=16) goes to the setting name_most, where
 * there is one. */
static int assigned_index(const limn_family *family, const char *assignment, const char *equals)
{
    char most[64];
    int i = index_of(family, assignment, (size_t)(equals - assignment));
    if (i < 0 || !family->settings[i].choices || equals[1] < '0' || equals[1] > '9') return i;
    snprintf(most, sizeof most, "%s_most", family->settings[i].name);
    int k = index_of(family, most, strlen(most));
    return k < 0 ? i : k;
}

limn_status limn_settings_set(limn_ctx *ctx, limn_settings *s, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    int i = equals ? assigned_index(s->family, assignment, equals) : -1;
    if (i < 0) return unknown(ctx, s, assignment);
    const limn_setting *row = &s->family->settings[i];
    if (row->choices) {
        int choice = choice_of(row->choices, equals + 1);
        return choice < 0 ? wrong_choice(ctx, row, equals + 1) : give(s, i, choice);
    }
    char shown[256], *end;
    limn_escape(equals + 1, strlen(equals + 1), shown, sizeof shown);
    long value = strtol(equals + 1, &end, 10);
    if (end == equals + 1 || *end || value < row->min || value > row->max)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s must be %d to %d, found \"%s\"", row->name, row->min, row->max, shown);
    return give(s, i, (int)value);
}

int limn_settings_get(const limn_settings *s, const char *name)
{
    int i = index_of(s->family, name, strlen(name));
    return i < 0 ? 0 : s->value[i];
}

const char *limn_setting_text(const limn_settings *s, int i, char *out)
{
    const char *word = s->family->settings[i].choices;
    if (!word) snprintf(out, 32, "%d", s->value[i]);
    else {
        for (int k = 0; k < s->value[i]; k++) word += strcspn(word, "|") + 1;
        snprintf(out, 32, "%.*s", (int)strcspn(word, "|"), word);
    }
    return out;
}

char *limn_settings_text(const limn_settings *s, char *out)
{
    size_t n = (size_t)snprintf(out, LIMN_SETTINGS_BYTES, "%s", s->family->name);
    char value[32];
    for (int i = 0; s->family->settings[i].name && n < LIMN_SETTINGS_BYTES; i++)
        n += (size_t)snprintf(out + n, LIMN_SETTINGS_BYTES - n, " %s=%s", s->family->settings[i].name,
                              limn_setting_text(s, i, value));
    if (n >= LIMN_SETTINGS_BYTES)
        out[0] = '\0'; /* part of the settings are those of another network; tests/test_model.c: no family comes near */
    return out;
}

limn_status limn_settings_parse(limn_ctx *ctx, const char *text, limn_settings *out)
{
    size_t n = strcspn(text, " ");
    const limn_family *family = family_named(text, n);
    char shown[256];
    if (!family)
        return limn_fail(ctx, LIMN_BAD_FILE, "the settings name no known network: \"%s\"",
                         limn_escape(text, n, shown, sizeof shown));
    limn_settings_defaults(out, family);
    return limn_settings_apply(ctx, out, text + n);
}

/* ---- sides of pictures ------------------------------------------------------------------------------------------------ */

enum { FARTHEST = 16384 }; /* pixels away that the nearest side is looked for */

/* Would this side do?  size: it is the setting "size", from which more may follow. */
static bool can_be(const limn_settings *s, bool size, int64_t pixels)
{
    limn_settings with = *s;
    if (pixels < 1 || pixels > INT_MAX) return false;
    if (size) with.value[index_of(s->family, "size", 4)] = (int)pixels;
    return !s->family->side(&with, (int)pixels);
}

/* Of two that are as near, the larger.  @return 0: none is near */
static int nearest_side(const limn_settings *s, bool size, int pixels)
{
    for (int away = 1; away <= FARTHEST; away++) {
        if (can_be(s, size, (int64_t)pixels + away)) return pixels + away;
        if (can_be(s, size, (int64_t)pixels - away)) return pixels - away;
    }
    return 0;
}

/* what: "size", or the picture's side. */
static limn_status check_side(limn_ctx *ctx, const limn_settings *s, const char *what, int pixels)
{
    char nearest[64] = "";
    if (!s->family->side) return LIMN_OK;
    if (pixels < 1)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s must be at least 1, found %d", s->family->name, what, pixels);
    const char *must_be = s->family->side(s, pixels);
    if (!must_be) return LIMN_OK;
    int n = nearest_side(s, strcmp(what, "size") == 0, pixels);
    if (n) snprintf(nearest, sizeof nearest, "; the nearest is %d", n);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s must be %s, found %d%s", s->family->name, what, must_be, pixels,
                     nearest);
}

limn_status limn_settings_check(limn_ctx *ctx, const limn_settings *s)
{
    const char *wrong = s->family->check ? s->family->check(s) : NULL;
    int height = limn_settings_get(s, "height");
    if (wrong) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s", s->family->name, wrong);
    limn_status status = check_side(ctx, s, "size", limn_settings_get(s, "size"));
    return status == LIMN_OK && height ? check_side(ctx, s, "height", height) : status;
}

/* A side of 0 is that of the settings. */
static limn_status check_picture(limn_ctx *ctx, const limn_settings *s, limn_build b)
{
    int64_t size = limn_settings_get(s, "size");
    limn_status status = b.height ? check_side(ctx, s, "the height of the picture", b.height) : LIMN_OK;
    if (status == LIMN_OK && b.width) status = check_side(ctx, s, "the width of the picture", b.width);
    int64_t height = b.height ? b.height : size, width = b.width ? b.width : size;
    if (status != LIMN_OK || !s->family->learned_places || height == width || height * width != size * size) return status;
    return limn_fail(
        ctx, LIMN_BAD_ARGUMENT,
        "%s: %d rows of %d pixels are as many as %d x %d, for which the places were learned, and would be taken for these; "
        "choose other sides",
        s->family->name, (int)height, (int)width, (int)size, (int)size);
}

limn_status limn_model_build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    *ports = (limn_ports){0};
    limn_status status = limn_settings_check(g->ctx, s);
    if (status == LIMN_OK) status = check_picture(g->ctx, s, b);
    if (status != LIMN_OK) return status;
    if (b.batch < 1) return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "the batch must be at least 1, found %d", b.batch);
    if (b.part == LIMN_PART_TEXT && s->family->kind != LIMN_ENCODES_TEXT) {
        if (limn_settings_get(s, "text_encoder") != 1)
            return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "%s: there is no text encoder in a network of these settings",
                             s->family->name);
        ports->output = ports->features = limn_text_features(g, s, b, ports);
    } else s->family->build(g, s, b, ports);
    return limn_graph_status(g);
}
