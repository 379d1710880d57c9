/* fuzz_merges.c: the input is a merges file as it lies on a disk, text or gzip. */
#include "fuzz_bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_bpe(limn_clip_bpe_open, data, n);
}
