/* show.c: see show.h. */
#include "show.h"

#include "cli.h"
#include "file/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 40, /* width of a picture drawn by a protocol, in characters */
       LEAST_ROWS = 8, IMAGE_ID = 20461 };

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

static FILE *terminal_file(void)
{
    return isatty(STDOUT_FILENO) ? stdout : isatty(STDERR_FILENO) ? stderr : NULL;
}

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
static void put_kitty(FILE *to, const char *keys, const unsigned char *bytes, size_t n)
{
    enum { CHUNK = 3072 };
    for (size_t at = 0; at < n; at += CHUNK) {
        if (at == 0) fprintf(to, "\033_Ga=T,%s,m=%d;", keys, n > CHUNK);
        else fprintf(to, "\033_Gm=%d;", at + CHUNK < n);
        put_base64(to, bytes + at, n - at < CHUNK ? n - at : CHUNK);
        fputs("\033\\", to);
    }
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

static struct winsize window_of(FILE *to)
{
    struct winsize window = {0};
    bool told = ioctl(fileno(to), TIOCGWINSZ, &window) == 0;
    if (!told || !window.ws_col) window.ws_col = 80;
    if (!told || !window.ws_row) window.ws_row = 24;
    return window;
}

/* In at most so many columns and rows.  @return rows that it took */
static int put_text(limn_ctx *ctx, FILE *to, const limn_image *image, bool colour, int columns, int rows)
{
    limn_image small = {0};
    int64_t width = image->width, height = image->height;
    if (width > columns) height = height * columns / width, width = columns;
    if (height > 2 * (int64_t)rows) width = width * 2 * rows / height, height = 2 * (int64_t)rows;
    width += width == 0, height += height == 0;
    bool smaller = width != image->width || height != image->height;
    if (smaller && limn_image_resize(ctx, image, (int)width, (int)height, &small) != LIMN_OK) return 0;
    const limn_image *shown = smaller ? &small : image;
    if (colour) put_half_blocks(to, shown);
    else put_shades(to, shown);
    limn_image_free(&small);
    return (int)(height + 1) / 2;
}

bool cli_show(limn_ctx *ctx, const limn_image *image, const char *png)
{
    FILE *to = terminal_file();
    terminal kind = to ? kind_of_terminal(to) : TERMINAL_PLAIN;
    unsigned char *bytes = NULL;
    size_t n = 0;
    char keys[64];
    if (!to) return false;
    bool protocol = kind == TERMINAL_KITTY || kind == TERMINAL_ITERM;
    if (protocol && limn_file_read(ctx, png, (size_t)1 << 28, &bytes, &n) == LIMN_OK) {
        snprintf(keys, sizeof keys, "f=100,c=%d", COLUMNS);
        if (kind == TERMINAL_KITTY) put_kitty(to, keys, bytes, n), fputc('\n', to);
        else put_iterm(to, bytes, n);
    } else {
        put_text(ctx, to, image, kind != TERMINAL_PLAIN && cli_utf8(), window_of(to).ws_col, LIMN_MAX_SIDE);
    }
    free(bytes);
    fflush(to);
    return true;
}

/* ---- in place --------------------------------------------------------------------------------------------------------- */

bool cli_show_moves(void)
{
    FILE *to = terminal_file();
    const char *term = getenv("TERM");
    return to && term && *term && strcmp(term, "dumb") != 0 && window_of(to).ws_row >= LEAST_ROWS;
}

void cli_show_erase(cli_shown *shown)
{
    FILE *to = terminal_file();
    if (!to || !shown->rows) return;
    if (kind_of_terminal(to) == TERMINAL_KITTY) fprintf(to, "\033_Ga=d,d=I,i=%d,q=2\033\\", IMAGE_ID);
    fprintf(to, "\r\033[%dA\033[J", shown->rows);
    fflush(to);
    shown->rows = 0;
}

/* The pixels themselves, under one number, which takes the place of the picture before; the terminal says nothing to it
 * (q=2) and leaves the cursor (C=1).  @return rows */
static int put_pixels(FILE *to, const limn_image *image, int most_rows)
{
    char keys[128];
    int columns = COLUMNS, rows = (int)(((int64_t)columns * image->height / image->width + 1) / 2);
    if (rows > most_rows) columns = (int)((int64_t)columns * most_rows / rows), rows = most_rows;
    columns += columns == 0, rows += rows == 0;
    for (int i = 0; i < rows; i++) fputc('\n', to); /* there is room below, or the window moves on */
    fprintf(to, "\033[%dA", rows);
    snprintf(keys, sizeof keys, "f=%d,s=%d,v=%d,c=%d,r=%d,i=%d,q=2,C=1", image->channels * 8, image->width, image->height,
             columns, rows, IMAGE_ID);
    put_kitty(to, keys, image->pixels, (size_t)image->width * (size_t)image->height * (size_t)image->channels);
    fprintf(to, "\033[%dB\r", rows);
    return rows;
}

void cli_show_over(limn_ctx *ctx, const limn_image *image, cli_shown *shown)
{
    FILE *to = terminal_file();
    if (!to) return;
    terminal kind = kind_of_terminal(to);
    struct winsize window = window_of(to);
    int rows = window.ws_row - 2; /* a line of progress is below, and it may be drawn on the last one */
    cli_show_erase(shown);
    if (kind == TERMINAL_KITTY && image->channels >= 3) shown->rows = put_pixels(to, image, rows);
    else shown->rows = put_text(ctx, to, image, kind != TERMINAL_PLAIN && cli_utf8(), window.ws_col, rows);
    fflush(to);
}
