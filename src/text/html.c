/* html.c: HTML character references (WHATWG, "Named character references", "Numeric character reference end state"). */
#include "text/clip_clean.h"

/* U+00A0 .. U+00FF in order; these work without a semicolon */
static const char *const latin1[96] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",    "copy",   "ordf",   "laquo",
    "not",    "shy",    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",   "acute",  "micro",  "para",   "middot",
    "cedil",  "sup1",   "ordm",   "raquo",  "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",  "Atilde",
    "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave", "Iacute", "Icirc",  "Iuml",
    "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",   "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",
    "Uuml",   "Yacute", "THORN",  "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",  "aelig",  "ccedil",
    "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc",  "iuml",   "eth",    "ntilde", "ograve", "oacute",
    "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave", "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml",
};

static const struct { const char *name; int32_t point; bool bare;
} named[] = {
    {"amp", '&', true},        {"lt", '<', true},         {"gt", '>', true},        {"quot", '"', true},
    {"AMP", '&', true},        {"LT", '<', true},         {"GT", '>', true},        {"QUOT", '"', true},
    {"COPY", 0xa9, true},      {"REG", 0xae, true},       {"apos", '\'', false},    {"hellip", 0x2026, false},
    {"mdash", 0x2014, false},  {"ndash", 0x2013, false},  {"lsquo", 0x2018, false}, {"rsquo", 0x2019, false},
    {"sbquo", 0x201a, false},  {"ldquo", 0x201c, false},  {"rdquo", 0x201d, false}, {"bdquo", 0x201e, false},
    {"lsaquo", 0x2039, false}, {"rsaquo", 0x203a, false}, {"bull", 0x2022, false},  {"dagger", 0x2020, false},
    {"Dagger", 0x2021, false}, {"permil", 0x2030, false}, {"prime", 0x2032, false}, {"Prime", 0x2033, false},
    {"euro", 0x20ac, false},   {"trade", 0x2122, false},  {"larr", 0x2190, false},  {"uarr", 0x2191, false},
    {"rarr", 0x2192, false},   {"darr", 0x2193, false},   {"harr", 0x2194, false},  {"minus", 0x2212, false},
    {"infin", 0x221e, false},  {"ne", 0x2260, false},     {"le", 0x2264, false},    {"ge", 0x2265, false},
    {"hearts", 0x2665, false}, {"spades", 0x2660, false}, {"clubs", 0x2663, false}, {"diams", 0x2666, false},
    {"OElig", 0x152, false},   {"oelig", 0x153, false},   {"Scaron", 0x160, false}, {"scaron", 0x161, false},
    {"Yuml", 0x178, false},    {"fnof", 0x192, false},    {"ensp", 0x2002, false},  {"emsp", 0x2003, false},
    {"thinsp", 0x2009, false}, {"zwnj", 0x200c, false},   {"zwj", 0x200d, false},
};

/* Numbers 128..159 mean Windows-1252 to browsers. */
static const uint16_t windows1252[32] = {
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
};

/* What a number stands for; -1 means that it is dropped (controls and noncharacters). */
static int32_t number_meaning(uint32_t number)
{
    if (number >= 0x80 && number < 0xa0) return windows1252[number - 0x80];
    if (number == 0 || (number >= 0xd800 && number < 0xe000) || number > 0x10ffff) return 0xfffd;
    bool kept_control = number == '\t' || number == '\n' || number == '\f' || number == '\r';
    if ((number < 0x20 && !kept_control) || number == 0x7f) return -1;
    if ((number >= 0xfdd0 && number < 0xfdf0) || (number & 0xfffe) == 0xfffe) return -1;
    return (int32_t)number;
}

static int digit_value(int32_t point, int base)
{
    if (point >= '0' && point <= '9') return point - '0';
    if (base == 16 && point >= 'a' && point <= 'f') return point - 'a' + 10;
    if (base == 16 && point >= 'A' && point <= 'F') return point - 'A' + 10;
    return -1;
}

/* points[0..1] is "&#".  @return points taken, 0 when it is no reference. */
static size_t numeric(const int32_t *points, size_t n, int32_t *out)
{
    int base = n > 2 && (points[2] == 'x' || points[2] == 'X') ? 16 : 10;
    size_t begin = base == 16 ? 3 : 2, i = begin;
    uint32_t number = 0;
    for (int digit; i < n && (digit = digit_value(points[i], base)) >= 0; i++)
        if (number <= 0x10ffff) number = number * (uint32_t)base + (uint32_t)digit;
    if (i == begin) return 0;
    *out = number_meaning(number);
    return i + (i < n && points[i] == ';');
}

/* Length of name when points[n] begin with it, else 0. */
static size_t begins_with(const int32_t *points, size_t n, const char *name)
{
    size_t i = 0;
    for (; name[i]; i++)
        if (i == n || points[i] != name[i]) return 0;
    return i;
}

/* points[0] is '&'.  With a semicolon the whole name must match; without one, the longest name that needs none. */
static size_t by_name(const int32_t *points, size_t n, int32_t *out)
{
    size_t best = 0;
    for (size_t k = 0; k < 96 + sizeof named / sizeof *named; k++) {
        bool bare = k < 96 || named[k - 96].bare;
        size_t length = begins_with(points + 1, n - 1, k < 96 ? latin1[k] : named[k - 96].name);
        bool closed = length && 1 + length < n && points[1 + length] == ';';
        if (!length || (!bare && !closed)) continue;
        if (length + closed <= best) continue;
        best = length + closed;
        *out = k < 96 ? 0xa0 + (int32_t)k : named[k - 96].point;
    }
    return best ? best + 1 : 0;
}

size_t limn_html_unescape(int32_t *points, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n;) {
        int32_t point = points[i];
        size_t taken = 0;
        if (point == '&' && i + 1 < n)
            taken = points[i + 1] == '#' ? numeric(points + i, n - i, &point) : by_name(points + i, n - i, &point);
        if (point >= 0) points[kept++] = point;
        i += taken ? taken : 1;
    }
    return kept;
}
