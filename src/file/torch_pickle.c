/* torch_pickle.c: the opcodes of pickle protocol 2 that torch.save() writes; Python's pickletools describes them.  No
 * recursion; every count is compared with the bytes that are left, every allocation with a budget. */
#include "file/torch_pickle.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { STACK_CAP = 250000, MEMO_CAP = 1000000, OBJECTS_CAP = 4000000 };

limn_status limn_pickle_bad(limn_pickle *p, const char *format, ...)
{
    char text[700];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: %s%sbyte %zu: %s; nothing was executed", p->file, p->root ? p->root : "",
                     p->root ? "/data.pkl, " : "", p->op, text);
}

limn_status limn_pickle_room(limn_pickle *p, void *list, size_t n, size_t more, size_t *capacity, size_t size)
{
    void *old, *grown;
    if (more <= *capacity - n) return LIMN_OK;
    size_t want = n + more + n / 4 + 16, bytes;
    if (!limn_mul_size(want, size, &bytes) || bytes > p->budget)
        return limn_pickle_bad(p, "its objects need too much memory for a file of this size");
    memcpy(&old, list, sizeof old);
    grown = realloc(old, bytes); /* for a moment both may be there */
    if (!grown) return limn_fail_memory(p->ctx, bytes, p->file);
    p->budget -= (want - *capacity) * size;
    memcpy(list, &grown, sizeof grown);
    *capacity = want;
    return LIMN_OK;
}

void limn_pickle_free(limn_pickle *p)
{
    free(p->stack);
    free(p->memo);
    free(p->tuples);
    free(p->containers);
    free(p->items);
    free(p->tensors);
    free(p->numbers);
    free(p->storage_seen);
    free(p->told);
    free(p->told_by_key);
}

/* ---- stack ------------------------------------------------------------------------------------------------------------ */

static limn_status push(limn_pickle *p, limn_value v)
{
    if (p->n_stack == STACK_CAP) return limn_pickle_bad(p, "more than %d values on the stack", STACK_CAP);
    limn_status status = limn_pickle_room(p, &p->stack, p->n_stack, 1, &p->stack_capacity, sizeof v);
    if (status == LIMN_OK) p->stack[p->n_stack++] = v;
    return status;
}

static limn_status push_int(limn_pickle *p, int64_t i)
{
    return push(p, (limn_value){.kind = LIMN_PICKLE_INT, .i = i});
}

/* The n topmost values, none of which is a mark. */
static limn_status need(limn_pickle *p, size_t n)
{
    for (size_t i = 1; i <= n; i++)
        if (i > p->n_stack || p->stack[p->n_stack - i].kind == LIMN_PICKLE_MARK)
            return limn_pickle_bad(p, "expected %zu values on the stack, found %zu", n, i - 1);
    return LIMN_OK;
}

/* *begin: the first value above the topmost mark. */
static limn_status find_mark(limn_pickle *p, size_t *begin)
{
    for (size_t i = p->n_stack; i > 0; i--)
        if (p->stack[i - 1].kind == LIMN_PICKLE_MARK) return *begin = i, LIMN_OK;
    return limn_pickle_bad(p, "no mark on the stack");
}

static limn_status make_tuple(limn_pickle *p, size_t begin, size_t drop)
{
    size_t n = p->n_stack - begin;
    limn_status status = limn_pickle_room(p, &p->tuples, p->n_tuples, n, &p->tuples_capacity, sizeof *p->tuples);
    if (status != LIMN_OK) return status;
    if (n) memcpy(p->tuples + p->n_tuples, p->stack + begin, n * sizeof *p->tuples);
    limn_value v = {.kind = LIMN_PICKLE_TUPLE, .n = (uint32_t)n, .i = (int64_t)p->n_tuples};
    p->n_tuples += n;
    p->n_stack = begin - drop;
    return push(p, v);
}

static limn_status short_tuple(limn_pickle *p, size_t n)
{
    limn_status status = need(p, n);
    return status == LIMN_OK ? make_tuple(p, p->n_stack - n, 0) : status;
}

static limn_status new_container(limn_pickle *p, limn_pickle_kind kind, limn_value *out)
{
    if (p->n_containers == OBJECTS_CAP) return limn_pickle_bad(p, "more than %d lists and dicts", OBJECTS_CAP);
    limn_status status =
        limn_pickle_room(p, &p->containers, p->n_containers, 1, &p->containers_capacity, sizeof *p->containers);
    if (status != LIMN_OK) return status;
    p->containers[p->n_containers] = (limn_pickle_container){0};
    *out = (limn_value){.kind = kind, .i = (int64_t)p->n_containers++};
    return LIMN_OK;
}

limn_status limn_pickle_dict(limn_pickle *p, limn_value *out)
{
    return new_container(p, LIMN_PICKLE_DICT, out);
}

static limn_status push_container(limn_pickle *p, limn_pickle_kind kind)
{
    limn_value v;
    limn_status status = new_container(p, kind, &v);
    return status == LIMN_OK ? push(p, v) : status;
}

/* ---- items ------------------------------------------------------------------------------------------------------------ */

static limn_status put_item(limn_pickle *p, limn_pickle_container *c, limn_value key, limn_value value)
{
    c->n++;
    if (!p->keeps_all && (value.kind < LIMN_PICKLE_TUPLE || value.kind == LIMN_PICKLE_GLOBAL)) return LIMN_OK;
    if (p->n_items == OBJECTS_CAP) return limn_pickle_bad(p, "more than %d objects in lists and dicts", OBJECTS_CAP);
    limn_status status = limn_pickle_room(p, &p->items, p->n_items, 1, &p->items_capacity, sizeof *p->items);
    if (status != LIMN_OK) return status;
    p->items[p->n_items++] = (limn_pickle_item){.key = key, .value = value};
    if (c->last) p->items[c->last - 1].next = (uint32_t)p->n_items;
    else c->first = (uint32_t)p->n_items;
    c->last = (uint32_t)p->n_items;
    return LIMN_OK;
}

/* Values from begin on go into the container below them (below the mark): key, value, key, value ... or one by one. */
static limn_status put_items(limn_pickle *p, size_t begin, size_t drop, limn_pickle_kind kind)
{
    static const char *const names[] = {[LIMN_PICKLE_LIST] = "a list", [LIMN_PICKLE_DICT] = "a dict"};
    size_t n = p->n_stack - begin, step = kind == LIMN_PICKLE_DICT ? 2 : 1;
    if (begin < drop + 1 || p->stack[begin - drop - 1].kind != kind)
        return limn_pickle_bad(p, "items for something that is not %s", names[kind]);
    if (n % step) return limn_pickle_bad(p, "%zu values are not pairs for a dict", n);
    limn_pickle_container *c = &p->containers[p->stack[begin - drop - 1].i];
    limn_status status = LIMN_OK;
    for (size_t i = begin; i < p->n_stack && status == LIMN_OK; i += step)
        status = put_item(p, c, step == 2 ? p->stack[i] : (limn_value){.kind = LIMN_PICKLE_INT, .i = c->n},
                          p->stack[i + step - 1]);
    p->n_stack = begin - drop;
    return status;
}

static limn_status marked_items(limn_pickle *p, limn_pickle_kind kind)
{
    size_t begin = 0;
    limn_status status = find_mark(p, &begin);
    return status == LIMN_OK ? put_items(p, begin, 1, kind) : status;
}

static limn_status last_items(limn_pickle *p, size_t n, limn_pickle_kind kind)
{
    limn_status status = need(p, n);
    return status == LIMN_OK ? put_items(p, p->n_stack - n, 0, kind) : status;
}

/* ---- memo ------------------------------------------------------------------------------------------------------------- */

/* torch numbers its memos 0, 1, 2 ... */
static limn_status put_memo(limn_pickle *p, size_t i)
{
    limn_status status = need(p, 1);
    if (status != LIMN_OK) return status;
    if (i > p->n_memo || i == MEMO_CAP)
        return limn_pickle_bad(p, "memo %zu, where the next is %zu and at most %d are kept", i, p->n_memo, MEMO_CAP);
    if (i == p->n_memo) status = limn_pickle_room(p, &p->memo, p->n_memo, 1, &p->memo_capacity, sizeof *p->memo);
    if (status != LIMN_OK) return status;
    p->memo[i] = p->stack[p->n_stack - 1];
    p->n_memo += i == p->n_memo;
    return LIMN_OK;
}

static limn_status get_memo(limn_pickle *p, size_t i)
{
    return i < p->n_memo ? push(p, p->memo[i]) : limn_pickle_bad(p, "memo %zu of %zu", i, p->n_memo);
}

/* ---- what opcodes carry ----------------------------------------------------------------------------------------------- */

static limn_status need_bytes(limn_pickle *p, size_t n)
{
    if (n <= p->n - p->at) return LIMN_OK;
    p->ran_out = true;
    return limn_pickle_bad(p, "%zu bytes are announced where %zu are left", n, p->n - p->at);
}

/* n bytes, little-endian */
static limn_status number(limn_pickle *p, size_t n, uint64_t *out)
{
    limn_status status = need_bytes(p, n);
    *out = 0;
    for (size_t i = 0; i < n && status == LIMN_OK; i++) *out |= (uint64_t)p->bytes[p->at++] << 8 * i;
    return status;
}

static limn_status string(limn_pickle *p, size_t n_length)
{
    uint64_t n;
    limn_status status = number(p, n_length, &n);
    if (status == LIMN_OK) status = need_bytes(p, (size_t)n);
    if (status != LIMN_OK) return status;
    const unsigned char *text = p->bytes + p->at;
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t step = utf8proc_iterate(text + i, (utf8proc_ssize_t)(n - i), &point);
        if (step <= 0) return limn_pickle_bad(p, "a string that is not valid UTF-8");
        i += (size_t)step;
    }
    limn_value v = {.kind = LIMN_PICKLE_STRING, .n = (uint32_t)n, .i = (int64_t)p->at};
    p->at += (size_t)n;
    return push(p, v);
}

/* LONG1: two's complement of up to 255 bytes.  What fits 64 bits without a sign is nobody's size or stride. */
static limn_status long_number(limn_pickle *p)
{
    uint64_t n, low = 0, high = 0;
    limn_status status = number(p, 1, &n);
    if (status == LIMN_OK) status = need_bytes(p, (size_t)n);
    if (status != LIMN_OK) return status;
    if (n > 9) return limn_pickle_bad(p, "a number of %d bytes, at most 64 bits are read", (int)n);
    number(p, n < 8 ? (size_t)n : 8, &low);
    if (n == 9) {
        number(p, 1, &high);
        return high == 0 ? push(p, (limn_value){.kind = LIMN_PICKLE_OTHER})
                         : limn_pickle_bad(p, "a number of more than 64 bits");
    }
    if (n && n < 8 && low >> (8 * n - 1) & 1) low |= UINT64_MAX << 8 * n;
    return push_int(p, (int64_t)low);
}

static limn_status line(limn_pickle *p, const unsigned char **text, size_t *n)
{
    *text = p->bytes + p->at;
    const unsigned char *end = memchr(*text, '\n', p->n - p->at);
    *n = end ? (size_t)(end - *text) : 0;
    if (!end) return p->ran_out = true, limn_pickle_bad(p, "the name of a Python object does not end");
    p->at += *n + 1;
    return LIMN_OK;
}

static limn_status global(limn_pickle *p)
{
    const unsigned char *module, *name;
    size_t n_module, n_name;
    char a[256], b[256];
    limn_status status = line(p, &module, &n_module);
    if (status == LIMN_OK) status = line(p, &name, &n_name);
    if (status != LIMN_OK) return status;
    int row = limn_torch_global(module, n_module, name, n_name);
    if (row >= 0) return push(p, (limn_value){.kind = LIMN_PICKLE_GLOBAL, .i = row});
    return limn_pickle_bad(p, "it asks for the Python object \"%s.%s\", which the state_dict() of a network does not need",
                           limn_escape((const char *)module, n_module, a, sizeof a),
                           limn_escape((const char *)name, n_name, b, sizeof b));
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static limn_status call(limn_pickle *p, limn_status (*what)(limn_pickle *, limn_value, limn_value, limn_value *))
{
    limn_value out;
    limn_status status = need(p, 2);
    if (status != LIMN_OK) return status;
    status = what(p, p->stack[p->n_stack - 2], p->stack[p->n_stack - 1], &out);
    p->n_stack -= 2;
    return status == LIMN_OK ? push(p, out) : status;
}

static limn_status persistent(limn_pickle *p)
{
    limn_value out;
    limn_status status = need(p, 1);
    if (status == LIMN_OK) status = limn_torch_storage(p, p->stack[p->n_stack - 1], &out);
    if (status != LIMN_OK) return status;
    p->n_stack--;
    return push(p, out);
}

/* An OrderedDict's attributes (torch keeps "_metadata" there), or the fields of an object that is dropped; those of a
 * ParameterDict are what it holds. */
static limn_status build(limn_pickle *p)
{
    limn_status status = need(p, 2);
    if (status != LIMN_OK) return status;
    limn_value to = p->stack[p->n_stack - 2];
    if (to.kind != LIMN_PICKLE_DICT && to.kind != LIMN_PICKLE_OTHER)
        return limn_pickle_bad(p, "BUILD of something that is not an OrderedDict");
    limn_value state = p->stack[--p->n_stack];
    if (to.kind == LIMN_PICKLE_DICT && to.n && state.kind == LIMN_PICKLE_DICT && state.i != to.i)
        p->containers[to.i] = p->containers[state.i];
    return LIMN_OK;
}

/* ---- the machine ------------------------------------------------------------------------------------------------------ */

static limn_status step(limn_pickle *p, unsigned char op)
{
    uint64_t i = 0;
    size_t begin = 0;
    limn_status status = LIMN_OK;
    switch (op) {
    case 0x80: /* PROTO */
        status = number(p, 1, &i);
        return status == LIMN_OK && i != 2 ? limn_pickle_bad(p, "pickle protocol %d, torch.save() writes 2", (int)i)
                                           : status;
    case '(': return push(p, (limn_value){.kind = LIMN_PICKLE_MARK});
    case 'N': return push(p, (limn_value){.kind = LIMN_PICKLE_OTHER});
    case 0x88: case 0x89: return push(p, (limn_value){.kind = LIMN_PICKLE_BOOL, .i = op == 0x88});
    case 'G': /* BINFLOAT */
        status = number(p, 8, &i);
        return status == LIMN_OK ? push(p, (limn_value){.kind = LIMN_PICKLE_OTHER}) : status;
    case 'J': status = number(p, 4, &i); return status == LIMN_OK ? push_int(p, (int32_t)i) : status;
    case 'K': status = number(p, 1, &i); return status == LIMN_OK ? push_int(p, (int64_t)i) : status;
    case 'M': status = number(p, 2, &i); return status == LIMN_OK ? push_int(p, (int64_t)i) : status;
    case 0x8a: return long_number(p);
    case 'X': return string(p, 4);
    case 'U': return string(p, 1);
    case ')': return push(p, (limn_value){.kind = LIMN_PICKLE_TUPLE});
    case 0x85: case 0x86: case 0x87: return short_tuple(p, op - 0x84u);
    case 't': status = find_mark(p, &begin); return status == LIMN_OK ? make_tuple(p, begin, 1) : status;
    case ']': return push_container(p, LIMN_PICKLE_LIST);
    case '}': return push_container(p, LIMN_PICKLE_DICT);
    case 'a': return last_items(p, 1, LIMN_PICKLE_LIST);
    case 'e': return marked_items(p, LIMN_PICKLE_LIST);
    case 's': return last_items(p, 2, LIMN_PICKLE_DICT);
    case 'u': return marked_items(p, LIMN_PICKLE_DICT);
    case 'q': status = number(p, 1, &i); return status == LIMN_OK ? put_memo(p, (size_t)i) : status;
    case 'r': status = number(p, 4, &i); return status == LIMN_OK ? put_memo(p, (size_t)i) : status;
    case 'h': status = number(p, 1, &i); return status == LIMN_OK ? get_memo(p, (size_t)i) : status;
    case 'j': status = number(p, 4, &i); return status == LIMN_OK ? get_memo(p, (size_t)i) : status;
    case 'c': return global(p);
    case 'R': return call(p, limn_torch_reduce);
    case 0x81: return call(p, limn_torch_new);
    case 'b': return build(p);
    case 'Q': return persistent(p);
    default: return limn_pickle_bad(p, "opcode 0x%02x is none that torch.save() writes", op);
    }
}

limn_status limn_pickle_next(limn_pickle *p, limn_value *out)
{
    p->n_stack = p->n_memo = 0;
    p->op = p->at;
    p->ran_out = p->n - p->at < 2;
    if (p->ran_out || p->bytes[p->at] != 0x80) return limn_pickle_bad(p, "expected a pickle of protocol 2");
    for (;;) {
        p->op = p->at;
        if (p->at == p->n) return p->ran_out = true, limn_pickle_bad(p, "it ends without STOP");
        unsigned char op = p->bytes[p->at++];
        if (op == '.') break;
        limn_status status = step(p, op);
        if (status != LIMN_OK) return status;
    }
    if (p->n_stack != 1 || p->stack[0].kind == LIMN_PICKLE_MARK)
        return limn_pickle_bad(p, "%zu values on the stack at its end, expected one", p->n_stack);
    *out = p->stack[0];
    return LIMN_OK;
}

limn_status limn_pickle_run(limn_pickle *p, limn_value *out)
{
    limn_status status = limn_pickle_next(p, out);
    return status == LIMN_OK && p->at != p->n ? limn_pickle_bad(p, "%zu bytes follow its end", p->n - p->at) : status;
}
