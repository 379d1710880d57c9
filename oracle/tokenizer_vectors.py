"""Writes tests/vectors/tokenizer.h: a hash of the token ids of 10,000 strings, from Hugging Face's CLIP tokenizer.

usage: tokenizer_vectors.py models/tokenizer/clip-49408.txt.gz > tests/vectors/tokenizer.h
       tokenizer_vectors.py models/tokenizer/clip-49408.txt.gz FIRST N    their ids, to see which differ

Strings are made from their number alone, as tests/test_tokenizer.c makes them: words of one script, of all scripts, emoji and
their joiners, ASCII, pieces of prompts, bytes at random, text with bytes that belong to none.  Every ten of them have one hash.
Left out are combining marks that came after Unicode 9 (U+07FD, U+08CA to U+08E2, U+1DF6 to U+1DFB, U+A82C): the tables of Hugging Face's
normalizer are older, so that it leaves these where they stand among others, and NFC does not.
"""
import gzip
import html
import sys

from text_vectors import tokenizer

N, GROUP = 10000, 10
MASK = (1 << 64) - 1

RANGES = [  # first and last code points of blocks, as of Unicode 15
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x500, 0x52F), (0x531, 0x58F), (0x591, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x750, 0x7B1), (0x7C0, 0x7FA),
    (0x800, 0x85E), (0x8A0, 0x8C7), (0x8E3, 0x8FF), (0x900, 0x97F), (0x980, 0x9FE), (0xA01, 0xA76), (0xA81, 0xAFF), (0xB01, 0xB77),
    (0xB82, 0xBFA), (0xC00, 0xC7F), (0xC80, 0xCF3), (0xD00, 0xD7F), (0xD81, 0xDF4), (0xE01, 0xE5B), (0xE81, 0xEDF),
    (0xF00, 0xFDA), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x13FD), (0x1400, 0x167F),
    (0x1680, 0x16F8), (0x1700, 0x1773), (0x1780, 0x17F9), (0x1800, 0x18AA), (0x1900, 0x194F), (0x1950, 0x19DF), (0x1A00, 0x1AAD),
    (0x1B00, 0x1B7E), (0x1B80, 0x1C4F), (0x1C50, 0x1C7F), (0x1C80, 0x1C88), (0x1C90, 0x1CFA), (0x1D00, 0x1DBF), (0x1DC0, 0x1DF5),
    (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x2000, 0x206F), (0x2070, 0x20C0), (0x20D0, 0x20F0), (0x2100, 0x218B), (0x2190, 0x23FF),
    (0x2400, 0x24FF), (0x2500, 0x27BF), (0x27C0, 0x2BFF), (0x2C00, 0x2DFF), (0x2E00, 0x2E5D), (0x2E80, 0x2FD5), (0x2FF0, 0x2FFB),
    (0x3000, 0x303F), (0x3041, 0x30FF), (0x3105, 0x31BF), (0x31C0, 0x31E3), (0x31F0, 0x33FF), (0x3400, 0x4DBF), (0x4DC0, 0x9FFF),
    (0xA000, 0xA4C6), (0xA4D0, 0xA6F7), (0xA700, 0xA7CA), (0xA800, 0xA82B), (0xA830, 0xA877), (0xA880, 0xA95F), (0xA960, 0xA9DF), (0xA9E0, 0xAADF),
    (0xAAE0, 0xABFF), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FB), (0xE000, 0xE0FF), (0xF900, 0xFAD9), (0xFB00, 0xFB4F), (0xFB50, 0xFDFF),
    (0xFE00, 0xFE6B), (0xFE70, 0xFEFF), (0xFF01, 0xFFEE), (0x10000, 0x100FA), (0x10100, 0x1018E), (0x10280, 0x1031F),
    (0x10330, 0x1047F), (0x10480, 0x1056F), (0x10600, 0x1085F), (0x10860, 0x1093F), (0x10A00, 0x10AF6), (0x10C00, 0x10C48),
    (0x11000, 0x110CD), (0x11100, 0x1124F), (0x1D400, 0x1D7FF), (0x12000, 0x12399), (0x13000, 0x1342E), (0x16800, 0x16A38),
    (0x1D000, 0x1D1EA), (0x1E900, 0x1E95F), (0x1EE00, 0x1EEBB), (0x1F000, 0x1F1AD), (0x1F1E6, 0x1F265), (0x1F300, 0x1F64F),
    (0x1F680, 0x1F6FC), (0x1F700, 0x1F773), (0x1F780, 0x1F8AF), (0x1F900, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0020, 0xE007F),
    (0xE0100, 0xE01EF),
]
EMOJI = [0x1F468, 0x1F469, 0x1F467, 0x1F9D1, 0x1F3FB, 0x1F3FD, 0x1F3FF, 0x200D, 0xFE0F, 0xFE0E, 0x2764, 0x1F525, 0x1F1E9, 0x1F1EA,
         0x1F1EF, 0x1F1F5, 0x1F680, 0x20E3, 0x31, 0x23, 0x1F3F4, 0xE0067, 0xE0062, 0xE007F, 0x1F600, 0x1F431, 0x2640, 0x2642]
PIECES = ["a photo of", "don't", "I'LL", "we've", "3d", "4K,", "café", "<|endoftext|>", "(word:1.2)", "[cat]", "&amp;", "&eacute",
          "&#x1F600;", "it's", "ROCK'N'ROLL", "masterpiece,", "BREAK", "ﬁne", "Ångström", "naïve", "half½", "x²", "İstanbul", "ΟΔΟΣ"]
SPACES = [" ", " ", " ", "  ", "\t", "\n", "\u3000", "\u00a0", "\u200b", "-", "'", ", ", ".", "_", ""]


class Numbers:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return (z ^ z >> 31) % n


def code_point(r, script):
    first, last = script
    return chr(first + r.below(last - first + 1)).encode()


def string(i):
    r, kind, out = Numbers(i), i % 10, b""
    for _ in range(1 + r.below(10)):
        script = RANGES[r.below(len(RANGES))]
        if kind == 9:
            out += PIECES[r.below(len(PIECES))].encode()
        else:
            for _ in range(1 + r.below(8)):
                if kind == 4:
                    out += chr(EMOJI[r.below(len(EMOJI))]).encode()
                elif kind == 5:
                    out += code_point(r, RANGES[r.below(len(RANGES))])
                elif kind == 6:
                    out += bytes([r.below(256)])
                elif kind == 8:
                    out += code_point(r, RANGES[0])
                else:
                    out += code_point(r, script)
        if kind == 7:
            out += bytes([128 + r.below(128)])
        out += SPACES[r.below(len(SPACES))].encode()
    return out


def ids_of(bpe, i):
    text = string(i).decode("utf-8", "replace")
    return bpe(html.unescape(html.unescape(text)), truncation=True, max_length=77)["input_ids"]


def literal(text):
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in text.encode()) + '"'


def table(kind, name, values, per_line):
    print(f"static const {kind} {name}[] = {{")
    for at in range(0, len(values), per_line):
        print("    " + " ".join(v + "," for v in values[at:at + per_line]))
    print("};")


def main():
    bpe = tokenizer(gzip.open(sys.argv[1]).read().decode().split("\n")[1:48895])
    if len(sys.argv) > 2:
        for i in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
            print(i, string(i), ids_of(bpe, i))
        return
    hashes = []
    for group in range(0, N, GROUP):
        h = 0x811C9DC5  # FNV-1a over the low and high bytes of the ids
        for i in range(group, group + GROUP):
            for t in ids_of(bpe, i):
                for byte in (t & 255, t >> 8):
                    h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
        hashes.append("0x%08x" % h)
    print("/* Written by oracle/tokenizer_vectors.py with Hugging Face's CLIPTokenizer; do not edit. */")
    table("struct { unsigned first, last; }", "tokenizer_ranges", ["{0x%x, 0x%x}" % r for r in RANGES], 6)
    table("unsigned", "tokenizer_emoji", ["0x%x" % e for e in EMOJI], 12)
    table("char *const", "tokenizer_pieces", [literal(p) for p in PIECES], 6)
    table("char *const", "tokenizer_spaces", [literal(p) for p in SPACES], 16)
    print(f"enum {{ TOKENIZER_STRINGS = {N}, TOKENIZER_GROUP = {GROUP} }};")
    table("unsigned", "tokenizer_hashes", hashes, 10)


if __name__ == "__main__":
    main()
