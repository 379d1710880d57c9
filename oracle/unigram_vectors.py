"""Vectors of T5's tokenizer, from sentencepiece and Hugging Face's tokenizers.

usage: unigram_vectors.py train FOLDER          writes a small tokenizer of the same kind: spiece.model, tokenizer.json
       unigram_vectors.py seeds FOLDER          inputs for tests/fuzz_unigram.c
       unigram_vectors.py vectors SMALL T5 > tests/vectors/unigram.h     folders that hold these two files; T5: the published ones

FOLDER, SMALL: tests/vectors/unigram; sentencepiece 0.2.3, transformers 5.24.

What is expected is put together from both: a text is parted at the names of special tokens, as transformers does; each part is
normalised by sentencepiece; its pieces are those of tokenizers' Unigram, which adds in f64.  The script counts, for stderr and
the header, how many strings either tokenizer reads otherwise as a whole:

  sentencepiece  knows no names in a text; adds in f32 from the beginning of a text, so that which of two equal ways is taken
                 depends on what stands before
  transformers   looks up a whole cluster of characters and takes the shortest entry that it begins with for all of it: what
                 combines with a space or a digit in front of it is lost; a special piece that only the normaliser makes (of
                 full-width letters) is special; text that is no UTF-8 cannot be asked for
"""
import json
import os
import re
import struct
import sys
import tempfile
import unicodedata

import sentencepiece
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from transformers import T5TokenizerFast

import tokenizer_vectors
from tokenizer_vectors import Numbers, literal, string, table

N, GROUP = 10000, 20
PIECES = ["a photo of", "don't", "I'LL", "we've", "3d", "4K,", "café", "</s>", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_99>",
          "<extra_id_100>", "＜pad＞", "masterpiece,", "half½", "e\u0301", "ﬁne", "x²", "ﷺ", "xxx", "III", "bbabab", "▁", "▁▁the",
          "lighthouse on a cliff", "日本", "½\u0301"]
CASES = ["", " ", "Hello World!", "a photo of a cat", "  A  photo\tof\n\na   CAT ", "an old lighthouse on a cliff above a stormy sea",
         "the dog's bone isn't what we've wanted", "1234567890", "3d render, 4k, 8k uhd", "ﬁne ﬂoor ＦＵＬＬ ｗｉｄｔｈ　ｓｐａｃｅ", "½ cup x² ③ ﷺ",
         "café cafe\u0301 naïve Ångström A\u030a", "😀 😀😃 cat😀", "日本語 日本 你好", "▁a▁▁b▁", "a\u200bb\u200dc\ufeffd", "a\x00b\x01c\x7f\x85d", "\x01",
         "a<extra_id_0>b", " a <extra_id_0> b ", "</s>", "cat</s> dog<pad><unk>cat", "<extra_id_99><extra_id_100><extra_id_5", "＜pad＞ ＜/s＞",
         "😀<unk>😀<extra_id_1>😀", "\u3000\u034b\u3000x\u0301", "bbabab", "xi i xxxhi", "III xxx ### aaaaaaaaaaaa", b"caf\xe9 \xff\xfe cat", b"\xe6\x97 \xf0\x9f\x98",
         b"\xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80", "\ufffd x"]


# ---- the small tokenizer ----

def rules():
    """A part of nmt_nfkc: what becomes a space or nothing, NFKC of some blocks, letters with their marks apart."""
    spaces = [0x9, 0xA, 0xC, 0xD, 0xA0, 0x1680, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x2581, 0x3000, 0xFEFF, 0xFFFD]
    out = {chr(c): " " for c in spaces}
    out.update({chr(c): "" for c in [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F]})
    blocks = [*range(0xA1, 0x100), *range(0x2460, 0x2474), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F), 0xFDFA, 0x212B]
    for c in map(chr, blocks):
        if unicodedata.normalize("NFKC", c) != c:
            out[c] = unicodedata.normalize("NFKC", c)
    for c in map(chr, range(0xC0, 0x180)):
        if unicodedata.normalize("NFD", c) != c:
            out[unicodedata.normalize("NFD", c)] = c
    return out


def corpus():
    words = (" ".join(CASES[3:9]) + " oil painting of storm clouds rays golden light crashing waves gulls wind cinematic composition "
             "soft focus background master nineteenth century museum quality cracked varnish ornate frame wide bokeh film grain "
             "café naïve Ångström 日本 日本語 你好 the and with in at by III II xxx xx bab babab cat dog house woman man smiling").split()
    ends = ["", "", "", "", "s", "ed", "ing", "er", "ly", "'s", "ness", ",", ".", "2", "10", "III"]
    starts = ["", "", "", "", "un", "re", "over", "sub", "inter", "X"]
    r = Numbers(1)
    for _ in range(6000):
        yield " ".join(starts[r.below(len(starts))] + words[min(r.below(len(words)), r.below(len(words)))] + ends[r.below(len(ends))]
                       for _ in range(3 + r.below(12)))


def train_model(folder, pieces, rows):
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/rules.tsv", "w") as f:
            for source, target in sorted(rows.items()):
                f.write(" ".join("%X" % ord(c) for c in source) + "\t" + " ".join("%X" % ord(c) for c in target) + "\n")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=corpus(), model_prefix=f"{scratch}/m", vocab_size=pieces, normalization_rule_tsv=f"{scratch}/rules.tsv",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=1.0, num_threads=1, minloglevel=2, hard_vocab_limit=False)
        os.makedirs(folder, exist_ok=True)
        model = open(f"{scratch}/m.model", "rb").read().replace(scratch.encode(), b"/" + b"t" * (len(scratch) - 1))
        open(f"{folder}/spiece.model", "wb").write(model)


def train(folder):
    train_model(folder, 400, rules())
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/spiece.model", "wb") as f:
            f.write(open(f"{folder}/spiece.model", "rb").read())
        T5TokenizerFast.from_pretrained(scratch).save_pretrained(scratch)
        whole = json.load(open(f"{scratch}/tokenizer.json"))
    with open(f"{folder}/tokenizer.json", "w") as f:
        json.dump(whole, f, ensure_ascii=False, separators=(",", ":"))


# ---- seeds: two bytes, how long a text is; the text; a file ----

def seeds(folder):
    def field(number, data):
        return bytes([number << 3 | 2]) + varint(len(data)) + data

    def varint(n):
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    rows = [("<pad>", 0, 3), ("</s>", 0, 3), ("<unk>", 0, 2), ("▁", -2, 1), ("a", -3, 1), ("b", -4, 1), ("ab", -5, 1), ("▁a", -4, 1), ("é", -6, 1)]
    model = b"".join(field(1, field(1, p.encode()) + b"\x15" + struct.pack("<f", s) + bytes([0x18, t])) for p, s, t in rows)
    units = [0] * 256
    units[0] = 1 << 10                                  # offset 1: 'A' is unit 0x40, whose leaf is unit 0x42
    units[0x40] = 0x41 | 1 << 8 | 2 << 10
    units[0x42] = 1 << 31
    charsmap = struct.pack("<I256I", 1024, *units) + b"a\0"
    text = "Ab aab é<extra_id_3>\xff".encode("latin-1")
    text = struct.pack("<H", len(text)) + text
    import base64
    normalizer = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}
    words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}
    post = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
            "special_tokens": {"</s>": {"ids": [1]}}}
    whole = {"added_tokens": [{"id": i, "content": rows[i][0]} for i in range(3)], "normalizer": normalizer,
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, words]}, "post_processor": post,
             "model": {"type": "Unigram", "unk_id": 2, "vocab": [[p, s] for p, s, _ in rows]}}
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/model", "wb") as f:
        f.write(text + model + field(2, b"\x18\x01") + field(3, field(2, charsmap) + b"\x18\x01\x20\x01"))
    with open(f"{folder}/json", "wb") as f:
        f.write(text + json.dumps(whole, ensure_ascii=False).encode())


# ---- what is expected ----

class Reading:
    def __init__(self, folder):
        self.spm = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/spiece.model")
        self.text = open(f"{folder}/tokenizer.json").read()
        self.whole = Tokenizer.from_str(self.text)
        vocab = json.loads(self.text)["model"]["vocab"]
        self.names = {t["content"]: t["id"] for t in json.loads(self.text)["added_tokens"]}
        hidden = [(f"\U0010fffe{i}" if p in self.names else p, score) for i, (p, score) in enumerate(vocab)]
        self.unigram = Unigram(hidden, unk_id=2, byte_fallback=False)
        self.split = re.compile(b"|".join(re.escape(name.encode()) for name in sorted(self.names, key=len, reverse=True)))

    def part(self, data):
        text = self.spm.normalize(data)
        return [t.id for t in self.unigram.tokenize(text if isinstance(text, str) else text.decode())] if text else []

    def ids(self, data):
        out, at = [], 0
        for m in self.split.finditer(data):
            out += self.part(data[at:m.start()]) + [self.names[m.group().decode()]]
            at = m.end()
        return out + self.part(data[at:]) + [1]

    def differs(self, data):
        """How sentencepiece, transformers read it otherwise."""
        ids, named = self.ids(data), self.split.search(data)
        try:
            other = self.whole.encode(data.decode()).ids != ids
        except UnicodeDecodeError:
            other = None
        return not named and self.spm.encode(data) + [1] != ids, other


def own_string(i):
    pieces, tokenizer_vectors.PIECES = tokenizer_vectors.PIECES, PIECES
    data = string(i)
    tokenizer_vectors.PIECES = pieces
    return data


def byte_literal(data):
    return literal(data) if isinstance(data, str) else '"' + "".join("\\%03o" % b for b in data) + '"'


def bytes_of(case):
    return case if isinstance(case, bytes) else case.encode()


def print_cases(name, rows):
    print(f"static const unigram_case {name}[] = {{")
    for case, ids, note in rows:
        print(f"    {{{byte_literal(case)}, {len(bytes_of(case))}, {len(ids)}, {{{', '.join(map(str, ids))}}}}},{note}")
    print("};")


def print_reading(name, r):
    rows = []
    for case in CASES:
        spm, whole = r.differs(bytes_of(case))
        other = " and ".join([n for n, d in (("sentencepiece", spm), ("transformers", whole)) if d])
        rows.append((case, r.ids(bytes_of(case)), f" /* {other} otherwise */" if other else ""))
    print_cases(f"unigram_{name}_cases", rows)
    hashes, spm, whole, asked = [], 0, 0, 0
    for group in range(0, N, GROUP):
        h = 0x811C9DC5
        for i in range(group, group + GROUP):
            data = own_string(i)
            a, b = r.differs(data)
            spm, whole, asked = spm + a, whole + bool(b), asked + (b is not None)
            for t in r.ids(data):
                for byte in (t & 255, t >> 8):
                    h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
        hashes.append("0x%08x" % h)
    print(f"/* of {N} strings sentencepiece reads {spm} otherwise that name no special token; transformers {whole} of the {asked} that are UTF-8 */")
    print(f"{name}: sentencepiece {spm}, transformers {whole} of {asked}", file=sys.stderr)
    table("unsigned", f"unigram_{name}_hashes", hashes, 10)


def check_newer_form(r):
    """A conversion of today writes Strip and Replace in place of WhitespaceSplit: the same ids."""
    whole = json.loads(r.text)
    whole["normalizer"] = {"type": "Sequence", "normalizers": [
        whole["normalizer"], {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}
    whole["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    newer = Tokenizer.from_str(json.dumps(whole))
    for case in CASES:
        if isinstance(case, str) and newer.encode(case).ids != r.whole.encode(case).ids:
            print(f"newer form: {case!r}: {newer.encode(case).ids}, {r.whole.encode(case).ids}", file=sys.stderr)


def vectors(small, published):
    print("/* Written by oracle/unigram_vectors.py with sentencepiece and Hugging Face's tokenizers; do not edit. */")
    print(f"enum {{ UNIGRAM_STRINGS = {N}, UNIGRAM_GROUP = {GROUP} }};")
    print("typedef struct unigram_case { const char *text; int n_bytes, n; int32_t ids[64]; } unigram_case;")
    table("char *const", "unigram_pieces", [literal(p) for p in PIECES], 6)
    small, published = Reading(small), Reading(published)
    print_reading("small", small)
    check_newer_form(small)
    print_reading("published", published)


if __name__ == "__main__":
    {"train": train, "seeds": seeds, "vectors": vectors}[sys.argv[1]](*sys.argv[2:])
