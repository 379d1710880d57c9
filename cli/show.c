/* show.c: see show.h. */
#include "show.h"

#include "cli.h"
#include "file/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 40 }; /* width of a picture drawn by a protocol, in characters */

typedef enum terminal { TERMINAL_KITTY, TERMINAL_ITERM, TERMINAL_COLOUR, TERMINAL_PLAIN } terminal;

static bool is(const char *variable, const char *value)
{
    const char *found = getenv(variable);
    return found && strcmp(found, value) == 0;
}

static terminal kind_of_terminal(FILE *to)
{
    const char *term = getenv("TERM");
    if (!cli_color(to) || !term) return TERMINAL_PLAIN;
    if (getenv("TMUX")) return TERMINAL_COLOUR; /* it passes no graphics on */
    if (getenv("KITTY_WINDOW_ID") || strstr(term, "kitty") || is("TERM_PROGRAM", "ghostty")) return TERMINAL_KITTY;
    return is("TERM_PROGRAM", "iTerm.app") || is("LC_TERMINAL", "iTerm2") || is("TERM_PROGRAM", "WezTerm") ? TERMINAL_ITERM
                                                                                                           : TERMINAL_COLOUR;
}

/* ---- protocols: the PNG itself, in base 64 ---------------------------------------------------------------------------- */

static void put_base64(FILE *to, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned long v = (unsigned long)bytes[i] << 16 | (i + 1 < n ? (unsigned long)bytes[i + 1] << 8 : 0) |
                          (i + 2 < n ? bytes[i + 2] : 0);
        fputc(digits[v >> 18], to);
        fputc(digits[v >> 12 & 63], to);
        fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', to);
        fputc(i + 2 < n ? digits[v & 63] : '=', to);
    }
}

/* kitty takes 4096 characters at a time: m=1 says that more follow. */
static void put_kitty(FILE *to, const unsigned char *png, size_t n)
{
    enum { CHUNK = 3072 };
    for (size_t at = 0; at < n; at += CHUNK) {
        if (at == 0) fprintf(to, "\033_Ga=T,f=100,c=%d,m=%d;", COLUMNS, n > CHUNK);
        else fprintf(to, "\033_Gm=%d;", at + CHUNK < n);
        put_base64(to, png + at, n - at < CHUNK ? n - at : CHUNK);
        fputs("\033\\", to);
    }
    fputc('\n', to);
}

static void put_iterm(FILE *to, const unsigned char *png, size_t n)
{
    fprintf(to, "\033]1337;File=inline=1;size=%zu;width=%d:", n, COLUMNS);
    put_base64(to, png, n);
    fputs("\a\n", to);
}

/* ---- text: two rows of pixels in one of characters -------------------------------------------------------------------- */

/* Colour of a pixel, false where it is transparent or outside. */
static bool pixel_at(const limn_image *image, int x, int y, uint8_t rgb[3])
{
    if (y >= image->height) return false;
    const uint8_t *p = image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * (size_t)image->channels;
    for (int k = 0; k < 3; k++) rgb[k] = image->channels >= 3 ? p[k] : p[0];
    return image->channels % 2 == 1 || p[image->channels - 1] >= 128;
}

static void put_half_blocks(FILE *to, const limn_image *image)
{
    for (int y = 0; y < image->height; y += 2) {
        for (int x = 0; x < image->width; x++) {
            uint8_t a[3] = {0}, b[3] = {0};
            bool top = pixel_at(image, x, y, a), bottom = pixel_at(image, x, y + 1, b);
            if (top && bottom) fprintf(to, "\033[38;2;%d;%d;%d;48;2;%d;%d;%dm▀", a[0], a[1], a[2], b[0], b[1], b[2]);
            else if (top) fprintf(to, "\033[0;38;2;%d;%d;%dm▀", a[0], a[1], a[2]);
            else if (bottom) fprintf(to, "\033[0;38;2;%d;%d;%dm▄", b[0], b[1], b[2]);
            else fputs("\033[0m ", to);
        }
        fputs("\033[0m\n", to);
    }
}

static void put_shades(FILE *to, const limn_image *image)
{
    static const char shades[] = "@%#*+=-:. "; /* dark to light */
    for (int y = 0; y < image->height; y += 2) {
        for (int x = 0; x < image->width; x++) {
            uint8_t c[3] = {0};
            int light = pixel_at(image, x, y, c) ? (299 * c[0] + 587 * c[1] + 114 * c[2]) / 1000 : 255;
            fputc(shades[light * 9 / 255], to);
        }
        fputc('\n', to);
    }
}

static void put_text(limn_ctx *ctx, FILE *to, const limn_image *image, bool colour)
{
    struct winsize window = {0};
    int columns = ioctl(fileno(to), TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
    limn_image small = {0};
    if (image->width > columns) {
        int height = (int)((int64_t)image->height * columns / image->width);
        if (limn_image_resize(ctx, image, columns, height ? height : 1, &small) != LIMN_OK) return;
    }
    const limn_image *shown = small.pixels ? &small : image;
    if (colour) put_half_blocks(to, shown);
    else put_shades(to, shown);
    limn_image_free(&small);
}

bool cli_show(limn_ctx *ctx, const limn_image *image, const char *png)
{
    FILE *to = isatty(STDOUT_FILENO) ? stdout : isatty(STDERR_FILENO) ? stderr : NULL;
    terminal kind = to ? kind_of_terminal(to) : TERMINAL_PLAIN;
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (!to) return false;
    bool protocol = kind == TERMINAL_KITTY || kind == TERMINAL_ITERM;
    if (protocol && limn_file_read(ctx, png, (size_t)1 << 28, &bytes, &n) == LIMN_OK) {
        if (kind == TERMINAL_KITTY) put_kitty(to, bytes, n);
        else put_iterm(to, bytes, n);
    } else {
        put_text(ctx, to, image, kind != TERMINAL_PLAIN && cli_utf8());
    }
    free(bytes);
    fflush(to);
    return true;
}
