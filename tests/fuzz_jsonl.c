/* fuzz_jsonl.c: the first byte picks the fields that are asked for, the rest is a metadata.jsonl. */
#include "data/rows.h"

#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void check_row(limn_ctx *ctx, const limn_rows *rows, const limn_row *row)
{
    require(strncmp(row->file, "folder/", 7) == 0 && row->file[7] && row->file[7] != '/' && !strstr(row->file, "/../"));
    require(limn_text_check(ctx, "caption", row->caption, strlen(row->caption)) == LIMN_OK);
    require(row->class ? row->label >= 0 && row->label < rows->n_classes &&
                             strcmp(rows->classes[row->label], row->class) == 0
                       : row->label == -1);
}

/* Every text that is drawn is one, and none is empty where there are several. */
static void check_draws(limn_ctx *ctx, const limn_rows *rows, int64_t i)
{
    for (uint64_t position = 0; position < 8; position++) {
        const char *text = limn_row_caption(rows, i, 1, position);
        require(limn_text_check(ctx, "caption", text, strlen(text)) == LIMN_OK);
        require(!rows->row[i].texts || *text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const wheres[] = {NULL, "split=train", "a=b,n=1", "a"};
    static const char *const captions[] = {NULL, "text:0.7,keywords:0.3", "keywords,text,caption", NULL};
    if (!n) return 0;
    limn_row_fields fields = {.where = wheres[data[0] % 4],
                              .caption = captions[data[0] >> 4 & 3] ? captions[data[0] >> 4 & 3]
                                         : data[0] & 4              ? "caption"
                                                                    : NULL,
                              .label = data[0] & 8 ? "split" : NULL};
    limn_ctx *ctx = limn_ctx_new();
    limn_rows rows;
    require(limn_rows_new(ctx, &rows) == LIMN_OK);
    limn_status status = limn_rows_jsonl(ctx, "fuzz", "folder", (const char *)data + 1, n - 1, &fields, &rows);
    require(status == LIMN_OK || status == LIMN_BAD_FILE || status == LIMN_BAD_ARGUMENT);
    require(status == LIMN_OK || *limn_error_text(ctx));
    limn_rows_label(&rows);
    for (int64_t i = 0; i < rows.n; i++) check_row(ctx, &rows, &rows.row[i]);
    for (int64_t i = 0; i < rows.n && status == LIMN_OK; i++) check_draws(ctx, &rows, i);
    if (status == LIMN_OK) limn_captions_tell(ctx, "folder", &rows, false);
    limn_rows_free(&rows);
    limn_ctx_free(ctx);
    return 0;
}
