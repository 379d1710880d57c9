/* settings.c: the numbers of a network, by name. */
#include "graph/node.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

static int index_of(const limn_family *family, const char *name, size_t n)
{
    for (int i = 0; family->settings[i].name; i++)
        if (strlen(family->settings[i].name) == n && strncmp(family->settings[i].name, name, n) == 0) return i;
    return -1;
}

static void defaults(limn_settings *s, const limn_family *family)
{
    *s = (limn_settings){.family = family};
    for (int i = 0; family->settings[i].name; i++) s->value[i] = family->settings[i].value;
}

static const limn_family *family_named(const char *name, size_t n)
{
    for (int i = 0; limn_families[i]; i++)
        if (strlen(limn_families[i]->name) == n && strncmp(limn_families[i]->name, name, n) == 0) return limn_families[i];
    return NULL;
}

/* Apply "a=1 b=2". */
static limn_status apply(limn_ctx *ctx, limn_settings *s, const char *text)
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

limn_status limn_settings_find(limn_ctx *ctx, const char *name, limn_settings *out)
{
    const limn_family *family = family_named(name, strlen(name));
    if (family) {
        defaults(out, family);
        return LIMN_OK;
    }
    for (int i = 0; limn_presets[i].name; i++)
        if (strcmp(limn_presets[i].name, name) == 0) {
            defaults(out, family_named(limn_presets[i].family, strlen(limn_presets[i].family)));
            return apply(ctx, out, limn_presets[i].settings);
        }
    limn_text names = {0};
    for (int i = 0; limn_families[i]; i++) limn_text_printf(&names, " %s", limn_families[i]->name);
    for (int i = 0; limn_presets[i].name; i++) limn_text_printf(&names, " %s", limn_presets[i].name);
    char shown[256];
    limn_fail(ctx, LIMN_NOT_FOUND, "there is no network \"%s\"; there are:%s", limn_escape(name, strlen(name), shown, sizeof shown),
              names.bytes ? names.bytes : "");
    limn_text_free(&names);
    return LIMN_NOT_FOUND;
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
    for (int i = 0; s->family->settings[i].name; i++) limn_text_printf(&names, " %s", s->family->settings[i].name);
    char shown[256];
    limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s has no setting \"%s\" (expected name=value); there are:%s", s->family->name,
              limn_escape(assignment, strlen(assignment), shown, sizeof shown), names.bytes ? names.bytes : "");
    limn_text_free(&names);
    return LIMN_BAD_ARGUMENT;
}

limn_status limn_settings_set(limn_ctx *ctx, limn_settings *s, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    int i = equals ? index_of(s->family, assignment, (size_t)(equals - assignment)) : -1;
    if (i < 0) return unknown(ctx, s, assignment);
    const limn_setting *row = &s->family->settings[i];
    char shown[256];
    limn_escape(equals + 1, strlen(equals + 1), shown, sizeof shown);
    if (row->choices) {
        int choice = choice_of(row->choices, equals + 1);
        if (choice < 0) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s must be one of %s, found \"%s\"", row->name, row->choices, shown);
        s->value[i] = choice;
        return LIMN_OK;
    }
    char *end;
    long value = strtol(equals + 1, &end, 10);
    if (end == equals + 1 || *end || value < row->min || value > row->max)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s must be %d to %d, found \"%s\"", row->name, row->min, row->max, shown);
    s->value[i] = (int)value;
    return LIMN_OK;
}

int limn_settings_get(const limn_settings *s, const char *name)
{
    int i = index_of(s->family, name, strlen(name));
    return i < 0 ? 0 : s->value[i];
}

char *limn_settings_text(const limn_settings *s, char *out)
{
    int n = snprintf(out, 1024, "%s", s->family->name);
    for (int i = 0; s->family->settings[i].name && n < 900; i++) {
        const limn_setting *row = &s->family->settings[i];
        if (!row->choices) {
            n += snprintf(out + n, 1024 - (size_t)n, " %s=%d", row->name, s->value[i]);
            continue;
        }
        const char *word = row->choices;
        for (int k = 0; k < s->value[i]; k++) word += strcspn(word, "|") + 1;
        n += snprintf(out + n, 1024 - (size_t)n, " %s=%.*s", row->name, (int)strcspn(word, "|"), word);
    }
    return out;
}

limn_status limn_settings_parse(limn_ctx *ctx, const char *text, limn_settings *out)
{
    size_t n = strcspn(text, " ");
    const limn_family *family = family_named(text, n);
    char shown[256];
    if (!family) return limn_fail(ctx, LIMN_BAD_FILE, "the settings name no known network: \"%s\"", limn_escape(text, n, shown, sizeof shown));
    defaults(out, family);
    return apply(ctx, out, text + n);
}

limn_status limn_model_build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    *ports = (limn_ports){0};
    const char *wrong = s->family->check ? s->family->check(s) : NULL;
    if (wrong) return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "%s: %s", s->family->name, wrong);
    if (b.batch < 1) return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "the batch must be at least 1, found %d", b.batch);
    s->family->build(g, s, b, ports);
    return limn_graph_status(g);
}
