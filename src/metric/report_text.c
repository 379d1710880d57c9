/* report_text.c: a report as a table and as JSON. */
#include "metric/report.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

enum { NAME_BYTES = 64 };

static const char *name_of(const limn_report *r, int k, char out[NAME_BYTES])
{
    if (r->names && r->names[k]) return limn_escape(r->names[k], strlen(r->names[k]), out, NAME_BYTES);
    snprintf(out, NAME_BYTES, "class %d", k);
    return out;
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

static void number(limn_text *out, int width, int digits, double v, const char *none)
{
    if (isnan(v)) limn_text_printf(out, "  %*s", width, none);
    else limn_text_printf(out, "  %*.*f", width, digits, v);
}

/* Names are UTF-8: bytes 10xxxxxx take no column. */
static void padded(limn_text *out, const char *name, int width)
{
    int columns = 0;
    for (const char *c = name; *c; c++) columns += (*c & 0xc0) != 0x80;
    limn_text_printf(out, "%s%*s", name, columns < width ? width - columns : 0, "");
}

static int name_width(const limn_report *r)
{
    char name[NAME_BYTES];
    int widest = (int)strlen("mean without class 0");
    for (int k = 0; k < r->n_classes; k++) {
        int n = (int)strlen(name_of(r, k, name));
        if (n > widest) widest = n;
    }
    return widest;
}

static void table(const limn_report *r, const limn_report_scores *s, limn_text *out)
{
    char name[NAME_BYTES];
    int width = name_width(r);
    double all = (double)s->pixels;
    padded(out, "class", width);
    limn_text_printf(out, "  %9s  %11s  %8s  %8s  %15s\n", "truth %", "predicted %", "Dice", "IoU", "Hausdorff 95 px");
    for (int k = 0; k < r->n_classes; k++) {
        limn_class_scores c = limn_report_class(r, k);
        padded(out, name_of(r, k, name), width);
        number(out, 9, 2, all > 0 ? 100 * (double)c.truth / all : (double)NAN, "-");
        number(out, 11, 2, all > 0 ? 100 * (double)c.predicted / all : (double)NAN, "-");
        number(out, 8, 4, c.dice, "absent"), number(out, 8, 4, c.iou, "absent"), number(out, 15, 2, c.hausdorff95, "-");
        limn_text_printf(out, "\n");
    }
    padded(out, "mean", width + 24);
    number(out, 8, 4, s->dice, "-"), number(out, 8, 4, s->iou, "-"), number(out, 15, 2, s->hausdorff95, "-");
    limn_text_printf(out, "\n");
    padded(out, "mean without class 0", width + 24);
    number(out, 8, 4, s->foreground_dice, "-"), number(out, 8, 4, s->foreground_iou, "-"),
        number(out, 15, 2, s->foreground_hausdorff95, "-");
    limn_text_printf(out, "\n");
}

static void membranes(const limn_report_scores *s, limn_text *out)
{
    if (isnan(s->rand)) limn_text_printf(out, "Rand error: no pixels of cells to compare\n");
    else limn_text_printf(out, "Rand error %.4f (precision %.4f, recall %.4f)\n", s->rand, s->precision, s->recall);
    if (!isnan(s->best_rand))
        limn_text_printf(out, "best Rand error %.4f, at probability > %.2f\n", s->best_rand, s->best_threshold);
    if (!isnan(s->thinned))
        limn_text_printf(out, "1 - V Rand after thinning %.4f, best %.4f, at probability > %.2f\n", s->thinned,
                         s->best_thinned, s->best_thinned_threshold);
    if (!isnan(s->best_pixel_error))
        limn_text_printf(out, "best pixel error %.4f, at probability > %.2f\n", s->best_pixel_error,
                         s->best_pixel_threshold);
    if (!isnan(s->warping)) limn_text_printf(out, "warping error %.6f\n", s->warping);
}

char *limn_report_text(const limn_report *r)
{
    limn_report_scores s = limn_report_score(r);
    limn_text out = {0}, notes = {0};
    limn_text_printf(&out, "%lld picture%s, %llu pixels with a class", (long long)s.pictures, s.pictures == 1 ? "" : "s",
                     (unsigned long long)s.pixels);
    if (s.pixels) limn_text_printf(&out, ", pixel error %.4f", s.pixel_error);
    limn_text_printf(&out, "\n\n");
    table(r, &s, &out);
    if (r->cell >= 0) limn_text_printf(&out, "\n"), membranes(&s, &out);
    limn_report_notes(r, &notes);
    if (notes.n) limn_text_printf(&out, "\n%s", notes.bytes);
    if (out.failed || notes.failed) limn_text_free(&out);
    limn_text_free(&notes);
    return out.bytes;
}

void limn_report_notes(const limn_report *r, limn_text *out)
{
    char name[NAME_BYTES];
    uint64_t n = limn_report_score(r).pixels;
    for (int k = 0; n && k < r->n_classes; k++) {
        const limn_overlap *c = &r->overlap[k];
        name_of(r, k, name);
        if (c->predicted == n && c->truth < n) limn_text_printf(out, "every pixel was taken for \"%s\"\n", name);
        else if (c->truth && !c->predicted)
            limn_text_printf(out, "\"%s\" was never predicted, though %.2f %% of the truth is\n", name,
                             100 * (double)c->truth / (double)n);
        else if (!c->truth)
            limn_text_printf(out, "\"%s\" is nowhere in the truth%s\n", name, c->predicted ? ", but was predicted" : "");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */

static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *means_json(double dice, double iou, double distance)
{
    return json_pack("{s:o, s:o, s:o}", "dice", real(dice), "iou", real(iou), "hausdorff95", real(distance));
}

/* As it was given, where that is UTF-8. */
static json_t *name_json(const limn_report *r, int k)
{
    char name[NAME_BYTES];
    json_t *given = r->names && r->names[k] ? json_string(r->names[k]) : NULL;
    return given ? given : json_string(name_of(r, k, name));
}

static json_t *classes_json(const limn_report *r)
{
    json_t *array = json_array();
    for (int k = 0; array && k < r->n_classes; k++) {
        limn_class_scores c = limn_report_class(r, k);
        json_t *o = json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:I}", "name", name_json(r, k), "truth",
                              (json_int_t)c.truth, "predicted", (json_int_t)c.predicted, "both", (json_int_t)c.both, "dice",
                              real(c.dice), "iou", real(c.iou), "hausdorff95", real(c.hausdorff95), "hausdorff95_pictures",
                              (json_int_t)c.hausdorff95_pictures);
        if (!o || json_array_append_new(array, o) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *membrane_json(const limn_report_scores *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rand_error", real(s->rand),
                     "rand_precision", real(s->precision), "rand_recall", real(s->recall), "best_rand_error",
                     real(s->best_rand), "best_threshold", real(s->best_threshold), "thinned_rand_error", real(s->thinned),
                     "best_thinned_rand_error", real(s->best_thinned), "best_thinned_threshold",
                     real(s->best_thinned_threshold), "best_pixel_error", real(s->best_pixel_error), "best_pixel_threshold",
                     real(s->best_pixel_threshold), "warping_error", real(s->warping));
}

char *limn_report_json(const limn_report *r)
{
    limn_report_scores s = limn_report_score(r);
    json_t *o = json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o}", "pictures", (json_int_t)s.pictures, "pixels", (json_int_t)s.pixels, "pixel_error",
        real(s.pixel_error), "mean", means_json(s.dice, s.iou, s.hausdorff95), "foreground_mean",
        means_json(s.foreground_dice, s.foreground_iou, s.foreground_hausdorff95), "classes", classes_json(r));
    bool whole = o && (r->cell < 0 || json_object_set_new(o, "membrane", membrane_json(&s)) == 0);
    char *text = whole ? limn_json_text(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    return text;
}
