"""Writes tests/vectors/text.h: token ids of captions, from Hugging Face's CLIP tokenizer.

usage: text_vectors.py MERGES.txt.gz > tests/vectors/text.h

The tokenizer is built from the merges file alone, once whole and once with the first 7678 merges (8192 tokens).
Captions pass html.unescape twice first, as in the cleaning of the original CLIP code.
"""
import gzip
import html
import json
import os
import sys
import tempfile

from transformers import CLIPTokenizer

CAPTIONS = [
    "", " ", "Hello World!", "a photo of a cat", "A  photo\tof\n\na   CAT ", "grinning face with big eyes",
    "the dog's bone isn't what we've wanted, I'll say; you're right, I'd go, I'm sure", "'tis the season", "rock 'n' roll's",
    "THE DOG'S BONE", "1234567890", "3d render, 4k, 8k uhd", "room 101b", "ip 192.168.0.1", "x=3.14159 + 2e-5", "½ cup, x² ③ Ⅷ ٣",
    "hello,world", "what?!?!... no!!!", "(masterpiece:1.2), [best quality], {detailed}", "a_b-c/d\\e|f", "''s '' ' '''",
    "!'s", "$100 €50 £20 ¥3000", "#hashtag @user www.example.com", "email me: me@example.com", "😀", "😀😃😄 smiling faces",
    "👩‍👩‍👧‍👦 family", "👍🏽 thumbs up", "🇩🇪 flag", "I ❤️ NY", "café", "cafe\u0301", "ÀÉÎÕÜ", "Straße ẞ", "İstanbul ısı", "ΑΒΓ ΟΔΟΣ σίγμα",
    "Привет, мир", "日本語のテキスト", "你好,世界", "안녕하세요 세계", "한글", "مرحبا بالعالم", "שלום עולם",
    "नमस्ते दुनिया", "สวัสดีชาวโลก", "Å Å ﬁ ﬂ", "\u0344 \U0001D160 \u0958", "a\u0323\u0307 q\u0307\u0323", "\u00a0nbsp\u3000ideographic\u2003em", "zero\u200bwidth\ufeffbom",
    "fish &amp; chips", "a &lt;b&gt; &quot;c&quot; &#39;d&#39; &#x1F600; &eacute;", "&amp;amp; &amp;lt; &nbsp;x", "&copy 2020 &reg; &hellip; &mdash;", "&bogus; & &; &#; &#xZ; &#0; &#xD800; &#x110000; &#150;",
    "<|startoftext|>hi<|endoftext|>", "a <|ENDOFTEXT|>!! b", "<|endoftext", "\x00nul\x00byte", "\x1f\x7f control \x85 next", "\ufffd replacement",
    "antidisestablishmentarianism floccinaucinihilipilification", "ab" * 60, "z" * 300,
    "a highly detailed oil painting of an old lighthouse on a cliff above a stormy sea at sunset, dramatic clouds, rays of "
    "golden light, crashing waves, gulls in the wind, cinematic composition, soft focus background, by a master of the "
    "nineteenth century, museum quality, cracked varnish, ornate frame, trending, 8k, ultra wide, hdr, bokeh, film grain",
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod " * 12, "word " * 75, "word " * 76, "日本" * 100, "😀" * 80,
    "Ǆ ǅ ǆ Ⅳ ⅳ Ⓐ", "x̄ ẍ ñ ñ", "naïve façade — “quoted” ‘single’ … • ™ ©", "tab\x0bvertical\x0cfeed\u2028line\u2029para\u1680ogham", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "ꙮ ᏣᎳᎩ Ⴀ 𐐀",
]


def byte_symbols():
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [b for b in range(256) if b not in shown]
    return [chr(b) for b in shown] + [chr(256 + i) for i in range(len(hidden))]


def tokenizer(merges):
    vocab = byte_symbols()
    vocab += [c + "</w>" for c in vocab] + ["".join(m.split()) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    assert len(set(vocab)) == len(vocab)
    with tempfile.TemporaryDirectory() as folder:
        json.dump({t: i for i, t in enumerate(vocab)}, open(os.path.join(folder, "vocab.json"), "w"))
        with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
            f.write("#version: 0.2\n" + "\n".join(merges) + "\n")
        return CLIPTokenizer.from_pretrained(folder)


def literal(text):
    """C string literal of the bytes; each byte that is not plain ASCII as three octal digits."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in text.encode()) + '"'


def main():
    lines = gzip.open(sys.argv[1]).read().decode().split("\n")[1:]
    print("/* Written by oracle/text_vectors.py with Hugging Face's CLIPTokenizer; do not edit. */")
    print("typedef struct { const char *text; int n_bytes, n; unsigned short ids[77]; } caption_vector; /* ids without padding */")
    for name, n_merges in (("full", 48894), ("8192", 7678)):
        bpe = tokenizer(lines[:n_merges])
        print(f"static const caption_vector captions_{name}[] = {{")
        for text in CAPTIONS:
            ids = bpe(html.unescape(html.unescape(text)), truncation=True, max_length=77)["input_ids"]
            print(f"    {{{literal(text)}, {len(text.encode())}, {len(ids)}, {{{','.join(map(str, ids))}}}}},")
        print("};")


if __name__ == "__main__":
    main()
