/* tiff_stack.c: see tiff_stack.h. */
#include "file/tiff_stack.h"

#include <stdlib.h>
#include <string.h>

static int64_t count_of(const char *text)
{
    const int64_t most = INT64_C(1) << 31;
    long long n = strtoll(text, NULL, 10);
    return n < 1 ? 1 : n > most ? most : n;
}

static int64_t times(int64_t a, int64_t b)
{
    const int64_t most = INT64_C(1) << 31;
    return a > most / b ? most : a * b;
}

/* "ImageJ=1.53t\nimages=30\nchannels=2\nslices=5\nframes=3\n" */
static limn_tiff_stack parse_imagej(const char *text)
{
    limn_tiff_stack s = {"ImageJ", 0, 1, 1, 1};
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "images=", 7) == 0) s.images = count_of(line + 7);
        if (strncmp(line, "slices=", 7) == 0) s.slices = count_of(line + 7);
        if (strncmp(line, "frames=", 7) == 0) s.frames = count_of(line + 7);
        if (strncmp(line, "channels=", 9) == 0) s.channels = count_of(line + 9);
    }
    int64_t product = times(times(s.slices, s.frames), s.channels);
    if (product > s.images) s.images = product;
    if (product == 1) s.slices = s.images;
    return s;
}

/* name="5" of an element that ends at end */
static int64_t attribute(const char *element, const char *end, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = element; (p = strstr(p, name)) && p < end; p += n)
        if (p[-1] <= ' ' && p[n] == '=' && (p[n + 1] == '"' || p[n + 1] == '\'')) return count_of(p + n + 2);
    return 1;
}

/* <Pixels SizeZ="5" SizeC="3" SizeT="1" ..>, where the samples of a pixel are channels as well */
static limn_tiff_stack parse_ome(const char *text, int samples)
{
    const char *pixels = strstr(text, "<Pixels "), *end = pixels ? strchr(pixels, '>') : NULL;
    if (!end) return (limn_tiff_stack){0};
    limn_tiff_stack s = {"OME-XML", 1, attribute(pixels, end, "SizeZ"), attribute(pixels, end, "SizeC"),
                         attribute(pixels, end, "SizeT")};
    if (s.channels % samples == 0) s.channels /= samples;
    s.images = times(times(s.slices, s.frames), s.channels);
    return s;
}

/* {"shape": [5, 32, 32]}, the sides and samples of a page last; what is before them, but for ones, is slices, then frames
 * and channels */
static limn_tiff_stack parse_shape(const char *text, int64_t pixels, int samples)
{
    enum { MOST = 16 };
    int64_t dim[MOST], page = times(pixels, samples), inner = 1;
    int n = 0, first;
    const char *p = strchr(text, '[');
    for (char *end; p && n < MOST && *p != ']'; p = end) {
        p += strspn(p, "[, ");
        int64_t v = strtoll(p, &end, 10);
        if (end == p || v < 1) return (limn_tiff_stack){0};
        dim[n++] = count_of(p);
        end += strspn(end, " ");
    }
    for (first = n; first > 0 && inner < page; first--) inner = times(inner, dim[first - 1]);
    if (inner != page) return (limn_tiff_stack){0};
    limn_tiff_stack s = {"tifffile", 1, 1, 1, 1};
    for (; first > 0; first--) {
        int64_t d = dim[first - 1];
        s.images = times(s.images, d);
        if (s.slices == 1) s.slices = d;
        else if (s.frames == 1) s.frames = d;
        else s.channels = times(s.channels, d);
    }
    return s;
}

limn_tiff_stack limn_tiff_stack_parse(const char *description, int64_t pixels, int samples)
{
    if (strncmp(description, "ImageJ=", 7) == 0) return parse_imagej(description);
    if (strncmp(description, "{\"shape\": [", 11) == 0) return parse_shape(description, pixels, samples);
    if (strstr(description, "<OME")) return parse_ome(description, samples);
    return (limn_tiff_stack){0};
}
