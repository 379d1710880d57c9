/* attention_amx.c: attention on AMX tiles. */
#include "backend/cpu/tiles_amx.h"

#include "backend/cpu/attention_amx.inc.h"

void limn_amx_attention(const limn_head *head)
{
    tiles t;
    attention_tiles(&t, head);
}

void limn_amx_attention_grad(const limn_head *head)
{
    tiles t;
    attention_grad_tiles(&t, head);
}
