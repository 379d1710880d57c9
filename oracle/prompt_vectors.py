"""Writes tests/vectors/prompt.h: prompts with brackets as pieces of text with weights, and as chunks of ids with weights.

usage: prompt_vectors.py MERGES.txt.gz > tests/vectors/prompt.h     (models/tokenizer/clip-8192.txt.gz)

The rules of AUTOMATIC1111's web UI and of ComfyUI, stated once more in Python, also of words that stand for vectors (textual inversion); token ids are Hugging Face's CLIPTokenizer's, of the
merges file alone.  Features: numbers of a formula, in numpy.
"""
import gzip
import re
import sys

import numpy as np

import text_vectors

PROMPTS = [
    "", "a house", "an (important) word", "(unbalanced", "unbalanced)", "((a)", "(a))(b)", "[less] (more)", "(a:1.5)", "(a :1.5 )", "(a: 1.5)", "(a:1.5", "a:1.5)",
    "(a:b:1.2)", "(:1.2)", "(a:)", "(a:1e1)", "(a:1.2.3)", "(a:-0.5) b", "(a:.5)", "(a:+2)", "(a:1_0)", "(a:nan)", "(a:inf)", "(a:0)",
    "(old)(er)", "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "(a (b:1.3) c)", "([a])", "[(a])", "([a)]", "(a [b) c]", "((a:1.2) b:0.8)",
    "\\(literal\\)", "\\[x\\]", "back\\\\slash", "lone\\ back", "end\\", "\\\\(x)", "(a\\)b)", "(a\\(b:1.2)",
    "one BREAK two", "BREAK", "BREAK BREAK", "one BREAK", "oneBREAK two", "BREAKS", "_BREAK_", "\u00e9BREAK \u00e9", "a,BREAK,b", "(one BREAK two)",
    "na\u00efve (caf\u00e9:1.1) \u65e5\u672c (\U0001f600:2)", "line\nbreak (two\nlines:1.3)", "((((((((deep))))))))", "a:b", "a : b", "[", "]", ")", ":", "()", "[]", "(())", "( )",
    "word " * 75, "word " * 76, "word " * 74 + ", after", "word, " * 40, "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 4,
    "word " * 60 + ", " + "tail " * 30, "word " * 50 + ", " + "tail " * 30, "word " * 70 + "(seven small words that stay together:1.2)", "word " * 70 + "(eight words and more that are parted in two:1.2) end",
    "x " * 200, "(strong:1.4), " * 30, "start BREAK " + "word " * 80 + " BREAK end", "<|endoftext|> after", "word " * 75 + ",", "word " * 74 + "a, b",
]


# Words with vectors of their own: how many, and the id of the first.
WORDS = {"glim": (2, 60000), "bad hands": (4, 60010), "bad-hands-5": (1, 60020), "bad": (3, 60030), "Wide": (40, 60040), "large": (75, 60100), "nine": (9, 60200), ",stop": (2, 60220)}

EMBEDDED = [
    "glim", "a Glim house", "glimmer", "a glim, glim", "(glim:1.2) [bad hands]", "bad-hands-5, bad hands, bad", "bad (hands:1.2)", "bad - hands - 5", "GLIM glim glimglim",
    "word " * 74 + "glim", "word " * 73 + "glim end", "word " * 70 + ", glim glim glim", "word " * 60 + ", a glim " * 8, "wide wide", "word " * 36 + "wide", "large", "a large b", "(large:1.3), large",
    "word , " * 20 + "wide, wide", "glim,stop", "a ,stop b", "word " * 75 + ",stop", "glim BREAK bad BREAK", "word " * 72 + ", glim bad " + "tail " * 10,
    "embedding:glim", "a embedding:glim house", "a, embedding:glim, house", "x,embedding:glim", "embedding:glim embedding:nine,, end", "(embedding:glim:1.2)", "(embedding:glim)", "(a embedding:nine b:0.8) c",
    "line\nembedding:nine", "word " * 70 + "embedding:nine end", "word " * 70 + "embedding:glim end", "word " * 74 + "embedding:glim end", "embedding: glim", "embedding:glim.pt", "embedding:large embedding:Wide.pt",
]


def pieces_webui(text):
    """[(text, weight)], weight None: a break."""
    out, round_open, square_open = [], [], []

    def weigh(first, factor):
        for i in range(first, len(out)):
            if out[i][1] is not None:
                out[i] = (out[i][0], out[i][1] * factor)

    at = 0
    while at < len(text):
        here = text[at:]
        number = re.match(r":\s*([+-]?[.\d]+)\s*\)", here)
        value = None
        if number:
            try:
                value = float(number.group(1))
            except ValueError:
                pass
        if here[0] == "\\":
            taken = here[:2] if here[1:2] in ("(", ")", "[", "]", "\\") and len(here) > 1 else here[:1]
            if taken[1:]:
                out.append((taken[1:], 1.0))
        elif here[0] == "(":
            taken = "("
            round_open.append(len(out))
        elif here[0] == "[":
            taken = "["
            square_open.append(len(out))
        elif value is not None and round_open:
            taken = number.group(0)
            weigh(round_open.pop(), value)
        elif here[0] == ")" and round_open:
            taken = ")"
            weigh(round_open.pop(), 1.1)
        elif here[0] == "]" and square_open:
            taken = "]"
            weigh(square_open.pop(), 1 / 1.1)
        else:
            taken = number.group(0) if value is not None else re.match(r"[^\\()\[\]:]+|.", here, re.S).group(0)
            parts = re.split(r"\bBREAK\b", taken)
            for i, part in enumerate(parts):
                if i:
                    out.append(("", None))
                out.append((part, 1.0))
        at += len(taken)
    for first in round_open:
        weigh(first, 1.1)
    for first in square_open:
        weigh(first, 1 / 1.1)
    joined = []
    for text, weight in out:
        if joined and weight is not None and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    return joined or [("", 1.0)]


def pieces_comfy(text):
    open_mark, close_mark = "\ue000", "\ue001"

    def parted(text, around):
        groups, group, depth = [], "", 0
        for c in text:
            if c == "(" and depth == 0:
                groups.append(group)
                group = ""
            depth += (c == "(") - (c == ")")
            group += c
            if c == ")" and depth == 0:
                groups.append(group)
                group = ""
        groups.append(group)
        for group in filter(None, groups):
            if len(group) == 1 or group[0] != "(" or group[-1] != ")":
                yield group.replace(close_mark, ")").replace(open_mark, "("), around
                continue
            inner, weight = group[1:-1], around * 1.1
            colon = inner.rfind(":")
            number = inner[colon + 1:].strip()
            if colon > 0 and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", number, re.I):
                inner, weight = inner[:colon], float(number)
            yield from parted(inner, weight)

    return list(parted(text.replace("\\)", close_mark).replace("\\(", open_mark), 1.0)) or [("", 1.0)]


def at_position(bpe, tokens, position):
    """The word of most tokens, as find_embedding_at_position() has it: (its ids, how many tokens it takes)."""
    known = sorted(((bpe(w, add_special_tokens=False)["input_ids"], v) for w, v in WORDS.items()), key=lambda x: -len(x[0]))
    for ids, (n, first) in known:
        if tokens[position:position + len(ids)] == ids:
            return list(range(first, first + n)), len(ids)
    return None, 1


def chunks_webui(bpe, pieces, full, words=False):
    comma = bpe.convert_tokens_to_ids(",</w>")
    chunks, now, last_comma = [], [], None

    def end_chunk():
        nonlocal now, last_comma
        chunks.append(now)
        now, last_comma = [], None

    for text, weight in pieces:
        if weight is None:
            end_chunk()
            continue
        tokens, position = bpe(text, add_special_tokens=False)["input_ids"], 0
        while position < len(tokens):
            token = tokens[position]
            vectors, taken = at_position(bpe, tokens, position) if words else (None, 1)
            if token == comma:
                last_comma = len(now)
            elif len(now) == full and last_comma is not None and len(now) - last_comma <= 20:
                rest = now[last_comma + 1:]
                now = now[:last_comma + 1]
                end_chunk()
                now = rest
            if len(now) == full:
                end_chunk()
            if vectors and len(now) + len(vectors) > full:
                end_chunk()
            now += [(t, weight) for t in vectors or [token]]
            position += taken
    if now or not chunks:
        end_chunk()
    return chunks


def groups_comfy(bpe, pieces, words):
    for text, weight in pieces:
        parts = re.split(r"[ \n]embedding:", text) if words else [text]
        for i, part in enumerate(parts):
            if words and (i or part.startswith("embedding:")):
                name, _, rest = (part if i else part[len("embedding:"):]).lstrip().partition(" ")
                lower = {w: v for k, v in WORDS.items() for w in (k, k + ".pt")}
                if name not in lower:
                    rest = name[len(name.rstrip(",")):] + " " + rest
                    name = name.rstrip(",")
                n, first = lower[name]
                yield [(t, weight) for t in range(first, first + n)]
                part = rest
            yield [(t, weight) for t in bpe(part, add_special_tokens=False)["input_ids"]]


def chunks_comfy(bpe, pieces, full, words=False):
    chunks = [[]]
    for group in groups_comfy(bpe, pieces, words):
        large = len(group) >= 8
        while group:
            room = full - len(chunks[-1])
            if len(group) <= room:
                chunks[-1] += group
                break
            if large:
                chunks[-1] += group[:room]
                group = group[room:]
            chunks.append([])
    return chunks


def numbers(values):
    return "{" + ",".join(np.format_float_positional(np.float32(v), unique=True, trim="0") + "f" if not float(v).is_integer() else str(int(v)) for v in values) + "}"


def features(context, width, phase):
    return np.array([[np.sin(1.7 * t + 0.9 * i + phase) + 0.3 for i in range(width)] for t in range(context)], np.float64)


def main():
    bpe = text_vectors.tokenizer(gzip.open(sys.argv[1]).read().decode().split("\n")[1:7679])
    print("/* Written by oracle/prompt_vectors.py with Hugging Face's CLIPTokenizer and numpy; do not edit. */")
    print("typedef struct { const char *text; int n_bytes; double weight; } piece_vector; /* n_bytes -1: a break */")
    print("typedef struct { int n_chunks; const int *length; const unsigned short *ids; const float *weight; } chunk_vector; /* tokens of each chunk, one chunk behind the other */")
    print("typedef struct { const char *text; int n_bytes, n_webui, n_comfy; const piece_vector *webui, *comfy; chunk_vector chunks[2]; } prompt_vector;")
    write_prompts(bpe, PROMPTS, "prompts", "", False)
    print("typedef struct { const char *name; int n, first; } word_vector;")
    print("static const word_vector words[] = {" + ", ".join(f'{{"{w}", {n}, {first}}}' for w, (n, first) in WORDS.items()) + "};")
    write_prompts(bpe, EMBEDDED, "embedded", "w", True)
    write_emphasis()


def write_prompts(bpe, prompts, name, mark, words):
    rows = []
    for k, text in enumerate(prompts):
        k, row = f"{mark}{k}", {}
        for style, pieces in (("webui", pieces_webui(text)), ("comfy", pieces_comfy(text))):
            print(f"static const piece_vector {style}_{k}[] = {{" + ", ".join(
                f"{{{text_vectors.literal(t)}, {-1 if w is None else len(t.encode())}, {1.0 if w is None else w!r}}}" for t, w in pieces) + "};")
            chunks = (chunks_webui if style == "webui" else chunks_comfy)(bpe, pieces, 75, words)
            flat = [x for c in chunks for x in c]
            print(f"static const int {style}_length_{k}[] = {{{','.join(str(len(c)) for c in chunks)}}};")
            print(f"static const unsigned short {style}_ids_{k}[] = {{{','.join(str(t) for t, _ in flat) or 0}}};")
            print(f"static const float {style}_weight_{k}[] = {numbers([w for _, w in flat] or [0])};")
            row[style] = (len(pieces), len(chunks))
        rows.append(f"    {{{text_vectors.literal(text)}, {len(text.encode())}, {row['webui'][0]}, {row['comfy'][0]}, webui_{k}, comfy_{k}, {{"
                    + ", ".join(f"{{{row[s][1]}, {s}_length_{k}, {s}_ids_{k}, {s}_weight_{k}}}" for s in ("webui", "comfy")) + "}},")
    print(f"static const prompt_vector {name}[] = {{")
    print("\n".join(rows))
    print("};")


def write_emphasis():
    weight = np.array([1, 1.3, 1, 0.5, -1, 1, 0, 1])
    z, empty = features(8, 3, 0.0), features(8, 3, 2.0)
    scaled = z * weight[:, None]
    print("enum { EMPHASIS_CONTEXT = 8, EMPHASIS_WIDTH = 3 };")
    print(f"static const float emphasis_weight[] = {numbers(weight)};")
    print(f"static const float emphasis_features[] = {numbers(z.ravel())};")
    print(f"static const float emphasis_empty[] = {numbers(empty.ravel())};")
    print(f"static const float emphasis_webui[] = {numbers((scaled * (z.mean() / scaled.mean())).ravel())};")
    print(f"static const float emphasis_comfy[] = {numbers(((z - empty) * weight[:, None] + empty).ravel())};")


if __name__ == "__main__":
    main()
