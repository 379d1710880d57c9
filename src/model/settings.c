/* settings.c: the fields of a network's struct, by their names in texts. */
#include "graph/node.h"
#include "model/blocks.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(limn_setting_kind) == sizeof(int), "choices are read and written as int");

enum { SET_BY_ELEMENT = 255 };

static int index_of(const limn_family *family, const char *name, size_t n)
{
    for (int i = 0; family->settings[i].name; i++)
        if (strlen(family->settings[i].name) == n && strncmp(family->settings[i].name, name, n) == 0) return i;
    return -1;
}

/* ---- fields ----------------------------------------------------------------------------------------------------------- */

static size_t element_bytes(const limn_setting *row)
{
    return row->kind == LIMN_SETTING_REAL ? sizeof(double) : row->kind == LIMN_SETTING_FLAG ? sizeof(bool) : sizeof(int);
}

/* The row whose field, or element of a list, begins `offset` bytes into the struct; -1: there is none. */
static int row_at(const limn_family *family, size_t offset)
{
    for (int i = 0; family->settings[i].name; i++) {
        const limn_setting *row = &family->settings[i];
        size_t n = element_bytes(row) * (row->kind == LIMN_SETTING_LIST ? (size_t)row->most : 1);
        if (offset >= row->offset && offset < row->offset + n) return i;
    }
    return -1;
}

static int int_at(const limn_settings *s, size_t offset)
{
    int value;
    memcpy(&value, s->config + offset, sizeof value);
    return value;
}

static void put_int(limn_settings *s, size_t offset, int value)
{
    memcpy(s->config + offset, &value, sizeof value);
}

static double value_at(const limn_settings *s, const limn_setting *row)
{
    double real;
    bool flag;
    if (row->kind == LIMN_SETTING_REAL) return memcpy(&real, s->config + row->offset, sizeof real), real;
    if (row->kind == LIMN_SETTING_FLAG) return memcpy(&flag, s->config + row->offset, sizeof flag), flag;
    return int_at(s, row->offset);
}

/* k: of a list, which element. */
static void put(limn_settings *s, const limn_setting *row, int k, double value)
{
    bool flag = value != 0;
    value += 0.0; /* -0 is 0 */
    if (row->kind == LIMN_SETTING_REAL) memcpy(s->config + row->offset, &value, sizeof value);
    else if (row->kind == LIMN_SETTING_FLAG) memcpy(s->config + row->offset, &flag, sizeof flag);
    else put_int(s, row->offset + (size_t)k * sizeof(int), (int)value);
}

const void *limn_settings_config(const limn_settings *s)
{
    return s->config;
}

void limn_settings_defaults(limn_settings *s, const limn_family *family)
{
    *s = (limn_settings){.family = family};
    for (int i = 0; family->settings[i].name; i++) {
        const limn_setting *row = &family->settings[i];
        if (row->kind != LIMN_SETTING_LIST) put(s, row, 0, row->value);
        for (int k = 0; k < row->n_values; k++) put(s, row, k, row->values[k]);
        if (row->kind == LIMN_SETTING_LIST && row_at(family, row->count) < 0) put_int(s, row->count, row->n_values);
    }
    if (family->imply) family->imply(s);
}

/* The field's row, and of a list which element. */
static int row_of(const limn_settings *s, const void *field, int *k)
{
    size_t offset = (size_t)((const unsigned char *)field - s->config);
    int i = row_at(s->family, offset);
    *k = i < 0 ? 0 : (int)((offset - s->family->settings[i].offset) / sizeof(int));
    return i;
}

void limn_settings_default(limn_settings *s, const void *field, double value)
{
    int k, i = row_of(s, field, &k);
    if (i >= 0 && !s->is_set[i]) put(s, &s->family->settings[i], k, value);
}

bool limn_settings_is_said(const limn_settings *s, const void *field)
{
    int k, i = row_of(s, field, &k);
    return i >= 0 && s->is_set[i];
}

static limn_status default_named(limn_ctx *ctx, limn_settings *s, const char *name, int value)
{
    int i = index_of(s->family, name, strlen(name));
    const limn_setting *row = &s->family->settings[i < 0 ? 0 : i];
    if (i < 0 || s->is_set[i]) return LIMN_OK;
    if (value < row->min || value > row->max)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s must be %.9g to %.9g, and the data have %d", s->family->name, name,
                         row->min, row->max, value);
    put(s, row, 0, value);
    return LIMN_OK;
}

limn_status limn_settings_default_picture(limn_ctx *ctx, limn_settings *s, int size, int channels)
{
    limn_status status = default_named(ctx, s, "size", size);
    return status == LIMN_OK ? default_named(ctx, s, "channels", channels) : status;
}

limn_interface limn_model_interface(const limn_settings *s)
{
    return s->family->interface(s->config);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

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
        limn_fail(ctx, LIMN_BAD_ARGUMENT, "a setting is name=value, as in %s=%.9g; found \"%s\"",
                  s->family->settings[0].name, s->family->settings[0].value, shown);
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

/* ---- values ----------------------------------------------------------------------------------------------------------- */

/* Every change may move what follows from it. */
static limn_status assign(limn_ctx *ctx, limn_settings *s, int i, int k, double value, const char *found)
{
    const limn_setting *row = &s->family->settings[i];
    char shown[256], element[16] = "";
    bool real = row->kind == LIMN_SETTING_REAL, list = row->kind == LIMN_SETTING_LIST;
    if (list) snprintf(element, sizeof element, "%d", k + 1);
    if (row->kind != LIMN_SETTING_CHOICE &&
        (!(value >= row->min && value <= row->max) || (!real && value != floor(value))))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s%s must be %.9g to %.9g, found \"%s\"", row->name, element, row->min,
                         row->max, limn_escape(found, strlen(found), shown, sizeof shown));
    put(s, row, k, value);
    s->is_set[i] = !list ? 1 : s->is_set[i] ? s->is_set[i] : SET_BY_ELEMENT;
    if (s->family->imply) s->family->imply(s);
    return LIMN_OK;
}

/* A list as a whole says how many there are, unless that was said by name: limn_settings_check() compares. */
static limn_status assign_list(limn_ctx *ctx, limn_settings *s, int i, int n, const int *values, const char *found)
{
    const limn_setting *row = &s->family->settings[i];
    char shown[256];
    bool fits = n >= 1 && n <= row->most;
    for (int k = 0; fits && k < n; k++) fits = values[k] >= row->min && values[k] <= row->max;
    if (!fits)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s must be 1 to %d numbers of %.9g to %.9g between commas%s, found \"%s\"",
                         row->name, row->most, row->min, row->max, row->form == LIMN_LIST_DIGITS ? ", or a digit each" : "",
                         limn_escape(found, strlen(found), shown, sizeof shown));
    for (int k = 0; k < n; k++) put(s, row, k, values[k]);
    s->is_set[i] = (unsigned char)n;
    int count = row_at(s->family, row->count);
    if (count < 0 || !s->is_set[count]) put_int(s, row->count, n);
    if (s->family->imply) s->family->imply(s);
    return LIMN_OK;
}

limn_status limn_settings_assign(limn_ctx *ctx, limn_settings *s, const void *field, double value)
{
    char found[32];
    int k, i = row_of(s, field, &k);
    limn_format(found, sizeof found, "%.15g", value);
    if (i < 0) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a field of %s is no setting", s->family->name);
    return assign(ctx, s, i, k, value, found);
}

limn_status limn_settings_assign_list(limn_ctx *ctx, limn_settings *s, const int *field, int n, const int *values)
{
    char found[32];
    int k, i = row_of(s, field, &k);
    snprintf(found, sizeof found, "%d numbers", n);
    if (i < 0) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a field of %s is no setting", s->family->name);
    return assign_list(ctx, s, i, n, values, found);
}

/* ---- texts to values -------------------------------------------------------------------------------------------------- */

/* What "name=value" is meant for. */
typedef struct target {
    int i;       /* the row; -1: there is none */
    int k;       /* of a list: the element, -1: the whole */
    double per;  /* the value is so many times the row's */
} target;

/* mult3: the third element of mult; scaling: scaling_factor in units of its own. */
static target target_named(const limn_family *family, const char *name, size_t n)
{
    target t = {.i = index_of(family, name, n), .k = -1, .per = 1};
    for (int i = 0; t.i < 0 && family->settings[i].name; i++) {
        const limn_setting *row = &family->settings[i];
        size_t m = strlen(row->name);
        bool by_element = row->kind == LIMN_SETTING_LIST && row->form == LIMN_LIST_ELEMENTS;
        if (by_element && n == m + 1 && !strncmp(row->name, name, m) && name[m] > '0' && name[m] <= '0' + row->most)
            t.i = i, t.k = name[m] - '1';
        else if (row->fixed && strlen(row->fixed) == n && !strncmp(row->fixed, name, n)) t.i = i, t.per = row->per;
    }
    return t;
}

/* A number for a choice (attention=16) goes to the setting name_most, where there is one. */
static target target_of(const limn_family *family, const char *assignment, const char *equals)
{
    char most[64];
    target t = target_named(family, assignment, (size_t)(equals - assignment));
    if (t.i < 0 || !family->settings[t.i].choices || equals[1] < '0' || equals[1] > '9') return t;
    snprintf(most, sizeof most, "%s_most", family->settings[t.i].name);
    int k = index_of(family, most, strlen(most));
    return (target){.i = k < 0 ? t.i : k, .k = -1, .per = 1};
}

/* "1,2,4", "[1,2,4]", or digits: "124".  @return how many, also beyond LIMN_SETTING_MOST; 0: it is no list */
static int read_list(const char *text, bool digits, int *out)
{
    int n = 0;
    bool bracket = *text == '[';
    if (digits && *text && !text[strspn(text, "0123456789")]) {
        for (; text[n]; n++)
            if (n < LIMN_SETTING_MOST) out[n] = text[n] - '0';
        return n;
    }
    for (text += bracket;; text++) {
        char *end;
        long value = strtol(text, &end, 10);
        if (end == text) return 0;
        if (n < LIMN_SETTING_MOST) out[n] = value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
        n++, text = end;
        if (*text != ',') break;
    }
    return strcmp(text, bracket ? "]" : "") == 0 ? n : 0;
}

/* A whole number of 1/per is told from others by its name, and must be one. */
static limn_status set_number(limn_ctx *ctx, limn_settings *s, target t, const char *text)
{
    const limn_setting *row = &s->family->settings[t.i];
    char *end, shown[256];
    bool real = row->kind == LIMN_SETTING_REAL && t.per == 1;
    double value = real ? limn_number_parse(text, &end) : (double)strtol(text, &end, 10);
    if (end == text || *end) value = NAN;
    if (t.per == 1) return assign(ctx, s, t.i, t.k < 0 ? 0 : t.k, value, text);
    if (value / t.per >= row->min && value / t.per <= row->max) return assign(ctx, s, t.i, 0, value / t.per, text);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s must be %.9g to %.9g (%s takes %.9g to %.9g), found \"%s\"", row->fixed,
                     row->min * t.per, row->max * t.per, row->name, row->min, row->max,
                     limn_escape(text, strlen(text), shown, sizeof shown));
}

limn_status limn_settings_set(limn_ctx *ctx, limn_settings *s, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    target t = equals ? target_of(s->family, assignment, equals) : (target){.i = -1};
    if (t.i < 0) return unknown(ctx, s, assignment);
    const limn_setting *row = &s->family->settings[t.i];
    const char *text = equals + 1;
    if (row->kind == LIMN_SETTING_LIST && t.k < 0) {
        int values[LIMN_SETTING_MOST], n = read_list(text, row->form == LIMN_LIST_DIGITS, values);
        return assign_list(ctx, s, t.i, n, values, text);
    }
    if (!row->choices) return set_number(ctx, s, t, text);
    int choice = choice_of(row->choices, text);
    return choice < 0 ? wrong_choice(ctx, row, text) : assign(ctx, s, t.i, 0, choice, text);
}

/* ---- values to texts -------------------------------------------------------------------------------------------------- */

static double value_of(const limn_settings *s, int i)
{
    return value_at(s, &s->family->settings[i]);
}

static int list_of(const limn_settings *s, int i, int *out)
{
    const limn_setting *row = &s->family->settings[i];
    int n = int_at(s, row->count);
    for (int k = 0; k < n && k < row->most; k++) out[k] = int_at(s, row->offset + (size_t)k * sizeof(int));
    return n < row->most ? n : row->most;
}

bool limn_setting_same(const limn_settings *a, const limn_settings *b, int i)
{
    int x[LIMN_SETTING_MOST], y[LIMN_SETTING_MOST], n = 0;
    if (a->family->settings[i].kind != LIMN_SETTING_LIST) return value_of(a, i) == value_of(b, i);
    return (n = list_of(a, i, x)) == list_of(b, i, y) && memcmp(x, y, (size_t)n * sizeof *x) == 0;
}

/* The shortest text that is read as the same number; 1e-6, not 1e-06. */
static void real_text(double value, char *out)
{
    int digits = 1;
    do limn_format(out, LIMN_SETTING_BYTES, "%.*g", digits, value);
    while (limn_number_parse(out, NULL) != value && digits++ < 17);
    char *e = strchr(out, 'e');
    if (e && e[2] == '0') memmove(e + 2, e + 3, strlen(e + 3) + 1);
}

static void list_text(const limn_settings *s, int i, char *out)
{
    int values[LIMN_SETTING_MOST], n = list_of(s, i, values);
    bool digits = s->family->settings[i].form == LIMN_LIST_DIGITS, long_form = false;
    for (int k = 0; k < n; k++) long_form = long_form || values[k] > 9;
    size_t at = (size_t)snprintf(out, LIMN_SETTING_BYTES, "%s", digits && long_form ? "[" : "");
    for (int k = 0; k < n; k++)
        at +=
            (size_t)snprintf(out + at, LIMN_SETTING_BYTES - at, "%s%d", k && !(digits && !long_form) ? "," : "", values[k]);
    if (digits && long_form) snprintf(out + at, LIMN_SETTING_BYTES - at, "]");
}

const char *limn_setting_text(const limn_settings *s, int i, char *out)
{
    const limn_setting *row = &s->family->settings[i];
    const char *word = row->choices;
    if (row->kind == LIMN_SETTING_LIST) list_text(s, i, out);
    else if (row->kind == LIMN_SETTING_REAL) real_text(value_at(s, row), out);
    else if (!word) snprintf(out, LIMN_SETTING_BYTES, "%d", (int)value_at(s, row));
    else {
        for (int k = int_at(s, row->offset); k > 0; k--) word += strcspn(word, "|") + 1;
        snprintf(out, LIMN_SETTING_BYTES, "%.*s", (int)strcspn(word, "|"), word);
    }
    return out;
}

/* " name=value", as versions before lists and reals wrote it where these had a way.  @return bytes of it */
static size_t append(const limn_settings *s, int i, char *out, size_t bytes)
{
    const limn_setting *row = &s->family->settings[i];
    char value[LIMN_SETTING_BYTES];
    size_t n = 0;
    double units = row->fixed ? nearbyint(value_at(s, row) * row->per) : 0;
    if (row->fixed && units / row->per == value_at(s, row))
        return (size_t)snprintf(out, bytes, " %s=%lld", row->fixed, (long long)units);
    if (row->kind != LIMN_SETTING_LIST || row->form != LIMN_LIST_ELEMENTS)
        return (size_t)snprintf(out, bytes, " %s=%s", row->name, limn_setting_text(s, i, value));
    for (int k = 0; k < row->most && n < bytes; k++)
        n += (size_t)snprintf(out + n, bytes - n, " %s%d=%d", row->name, k + 1,
                              int_at(s, row->offset + (size_t)k * sizeof(int)));
    return n;
}

char *limn_settings_text(const limn_settings *s, char *out)
{
    size_t n = (size_t)snprintf(out, LIMN_SETTINGS_BYTES, "%s", s->family->name);
    for (int i = 0; s->family->settings[i].name && n < LIMN_SETTINGS_BYTES; i++)
        n += append(s, i, out + n, LIMN_SETTINGS_BYTES - n);
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

bool limn_settings_put_size(limn_settings *s, int pixels)
{
    const limn_setting *row = &s->family->settings[index_of(s->family, "size", 4)];
    if (pixels < row->min || pixels > row->max) return false;
    put(s, row, 0, pixels);
    return true;
}

limn_status limn_settings_check_lists(limn_ctx *ctx, const limn_settings *s)
{
    for (int i = 0; s->family->settings[i].name; i++) {
        const limn_setting *row = &s->family->settings[i];
        int count = row->kind == LIMN_SETTING_LIST ? row_at(s->family, row->count) : -1, n = s->is_set[i];
        if (count >= 0 && n && n != SET_BY_ELEMENT && n != int_at(s, row->count))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s has %d numbers, and %s is %d: expected as many",
                             s->family->name, row->name, n, s->family->settings[count].name, int_at(s, row->count));
    }
    return LIMN_OK;
}
