/* fuzz_settings.c: settings come from the metadata of weight files: whatever they say, a graph is built or a sentence is
 * said. */
#include "graph/describe.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n) return 0;
    char *text = malloc(n), again[1024], third[1024];
    memcpy(text, data + 1, n - 1);
    text[n - 1] = '\0';
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s, back;
    limn_status status = limn_settings_parse(ctx, text, &s);
    require(status == LIMN_OK || *limn_error_text(ctx));
    if (status == LIMN_OK) {
        require(limn_settings_parse(ctx, limn_settings_text(&s, again), &back) == LIMN_OK && back.family == s.family);
        require(strcmp(again, limn_settings_text(&back, third)) == 0);
        limn_graph *g = limn_graph_new(ctx);
        limn_ports ports;
        status = limn_model_build(g, &s, (limn_build){.batch = data[0] % 4, .n_steps = data[0] / 4 % 4}, &ports);
        require(status == LIMN_OK ? ports.output != NULL : *limn_error_text(ctx) != '\0');
        if (status == LIMN_OK) {
            char *drawing = limn_describe(g, NULL);
            require(drawing && limn_describe_parameters(g) > 0);
            free(drawing);
        }
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
    free(text);
    return 0;
}
