/* open.h: what opening a model (open.c) and its text encoders (texts.c) share. */
#ifndef LIMN_PIPELINE_OPEN_H
#define LIMN_PIPELINE_OPEN_H

#include "pipeline/pipeline.h"
#include "weights/lora.h"

/** One more part of p->recipe, its weights in st, changed by LoRA files.  port: NULL, or what is known of its ports. */
limn_status limn_open_part(limn_pipeline *p, const char *name, limn_role role, limn_lora_network network,
                           const limn_settings *settings, const char *file, const limn_weight_file *st,
                           const limn_port *port);
/** limn_ctx_set_weights() is about the denoiser: other networks are opened without it; *kept: what it said. */
void limn_open_forget_weights(limn_ctx *ctx, char kept[sizeof ((limn_ctx *)0)->weights]);

/** What reads the text: a part of the denoiser, which is part 0, or networks of their own with their tokenizers and wires:
 *  p->text, p->n_texts.  Where nothing does p->text[0].settings stay empty.
 *  @param source  what holds the parts that are not named */
limn_status limn_open_texts(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts);

#endif
