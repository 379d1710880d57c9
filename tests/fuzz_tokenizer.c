/* fuzz_tokenizer.c: the input is a tokenizer.json as it lies on a disk. */
#include "fuzz_bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_bpe(limn_clip_bpe_from_json, data, n);
}
