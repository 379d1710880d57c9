/* inspect.c: limn inspect FILE.safetensors */
#include "cli.h"
#include "file/safetensors.h"

#include <string.h>

static const char help[] =
    "limn inspect FILE.safetensors\n"
    "\n"
    "Lists every tensor (name, type, shape, offset), and the network the file says it fits.\n"
    "example: limn inspect models/emoji/model.safetensors\n";

int cli_inspect(int argc, char **argv)
{
    const char *file = NULL;
    bool asked = false;
    const cli_flag flags[] = {{"-h", "--help", NULL, &asked}, {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &file, 1);
    if (asked) return fputs(help, stdout), 0;
    if (n < 1) return fprintf(stderr, n < 0 ? "" : "limn inspect: expected a file\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_safetensors *st;
    if (!ctx) return 1;
    limn_status status = limn_safetensors_open(ctx, file, &st);
    if (status != LIMN_OK) {
        int code = cli_fail(ctx, status);
        limn_ctx_free(ctx);
        return code;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < limn_safetensors_count(st); i++) {
        const limn_entry *e = limn_safetensors_get(st, i);
        char name[256], shape[160];
        int used = 0;
        for (int k = 0; k < e->rank; k++) used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld", k ? ", " : "", (long long)e->dim[k]);
        if (!e->rank) shape[0] = '\0';
        printf("%-64s %-5s [%s] at %zu\n", limn_escape(e->name, strlen(e->name), name, sizeof name), e->type, shape, e->begin);
        bytes += e->bytes;
    }
    const char *settings = limn_safetensors_metadata(st, "limn.settings"), *step = limn_safetensors_metadata(st, "limn.step");
    char shown[1024];
    printf("%zu tensors, %.2f MB\n", limn_safetensors_count(st), (double)bytes * 1e-6);
    printf("network: %s\n", settings ? limn_escape(settings, strlen(settings), shown, sizeof shown) : "the file does not say");
    if (step) printf("trained for %s steps\n", limn_escape(step, strlen(step), shown, sizeof shown));
    limn_safetensors_close(st);
    limn_ctx_free(ctx);
    return 0;
}
