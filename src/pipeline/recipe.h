/* recipe.h: which networks make a picture together, and which output feeds which input.
 *
 *     emoji:   denoiser                                                   its text encoder is inside of it
 *     SD 1:    text, denoiser, decoder    "text -> denoiser"
 *     SD XL:   l, g, denoiser, decoder    "l.features -> denoiser.features[0,0]"  "g.features -> denoiser.features[0,768]"
 *                                         "g.pooled -> denoiser.pooled"
 *     SD 3:    l, g, t5, denoiser, ..     "t5.features -> denoiser.features[0,0]"   "l.features -> denoiser.features[256,0]"
 *                                         "g.features -> denoiser.features[256,768]"  "l.pooled -> denoiser.pooled[0]"  ..
 *                                         what no wire fills is 0: channels from 2048 on, an encoder that is not there
 *
 * A part is a net with a role.  A wire goes from an output to an input by their names in net/ports.h; what a network reads
 * beside that (ids, timesteps, the picture) the job writes.  A part that only texts and labels lead to runs once for them,
 * however many steps follow; what wires take of it is kept.
 *
 * Memory: encoders of texts and of the picture that is started from run one after the other, before the denoiser's weights
 * are read, and give back weights and activations; a decoder that runs when the last step is made has the room of the
 * denoiser's activations.  Parts that take little keep what they have. */
#ifndef LIMN_RECIPE_H
#define LIMN_RECIPE_H

#include "net/coder.h"
#include "net/strips.h"
#include "net/ports.h"
#include "text/prompt_unigram.h"

enum { LIMN_RECIPE_PARTS = 8, LIMN_RECIPE_WIRES = 24, LIMN_PART_NAME = 24 };

/* What a part is for, and so how many rows a run of it has. */
typedef enum limn_role {
    LIMN_ROLE_TEXT,     /* a row for each text: the prompt and, with guidance, the negative one */
    LIMN_ROLE_DENOISER, /* rows for each picture, in the order of the texts */
    LIMN_ROLE_SKIPS,    /* the denoiser without some of its blocks: a row for each picture, which sees the first text */
    LIMN_ROLE_ENCODER,  /* one picture at a time, before the first step */
    LIMN_ROLE_DECODER,  /* one picture at a time, after the last */
    LIMN_ROLE_PREVIEW,  /* a decoder for pictures under way */
} limn_role;

/* What wires take of a part: an output of its last run, weights of tokens in it. */
typedef struct limn_part_output {
    limn_shape shape;
    float values[];
} limn_part_output;

/* How rows of a text part become features of texts. */
typedef struct limn_recipe_chunks {
    int n;                    /* rows of a text, which stand behind each other along tokens; 0: 1 */
    limn_prompt_style style;
    bool with_empty;          /* the last row is the empty text, from which others are told apart (comfy) */
    float *weight;            /* [rows, tokens]; NULL: all are 1 */
} limn_recipe_chunks;

typedef struct limn_recipe_part {
    char name[LIMN_PART_NAME];
    limn_role role;
    limn_net *net;            /* held */
    limn_model_part door;     /* which part of the net */
    const limn_clip_bpe *bpe; /* of a part with ids, it or unigram; borrowed */
    const limn_unigram *unigram; /* of T5, which has a row for each text, however many chunks others have */
    int32_t pad;              /* id behind the end of a text */
    bool lowers, masks;       /* of T5, as PixArt was trained: texts in small letters; what fills them up is hidden */
    bool raw;                 /* its features are those before the last layer and the final norm (Stable Diffusion XL) */
    bool pools;               /* beside them a whole text is made, projected or not */
    unsigned zero_inputs;     /* a bit for each port that no wire feeds: 0 (of an encoder that is not there) */
    unsigned zero_texts;      /* a bit for each text whose outputs count as 0 */
    const struct limn_embeddings *embeddings; /* of a text part: words with vectors of their own; NULL: none */
    int encoder;              /* of a text part: which of the model's text encoders */
    limn_port port[LIMN_PORTS];
    limn_job job;             /* of the last limn_recipe_begin() that wanted it; none while the part's memory is free */
    limn_net_shape shape;     /* of that */
    limn_tiling tiling;
    limn_net_size size;
    limn_strips strips;       /* of a coder, where there is no memory for the whole; else none */
    limn_part_output *output[LIMN_PORTS]; /* outputs that wires take, of its last run */
    limn_recipe_chunks chunks; /* of a text part */
    int32_t *ids;             /* of the texts that were written last; NULL: none */
    uint64_t version;         /* times it ran */
    bool changed;             /* its inputs did, since then */
    bool ran;                 /* the job did: its memory is taken */
} limn_recipe_part;

typedef struct limn_wire {
    int from, to;             /* parts */
    int out, in;              /* rows of net/ports.h */
    bool placed;              /* fills a block of the input from this token and channel on; else all of it */
    int token, channel;
    uint64_t seen;            /* version of `from` that `to` has */
} limn_wire;

typedef struct limn_recipe {
    size_t least;             /* bytes below which a part keeps its memory; 0: 64 MB */
    bool again;               /* the picture that is started from is not the last one: its encoder keeps its memory */
    char *told;               /* what of memory was said last; NULL: nothing */
    int n_parts, n_wires;
    limn_recipe_part part[LIMN_RECIPE_PARTS];
    limn_wire wire[LIMN_RECIPE_WIRES];
} limn_recipe;

/* What one job is planned for. */
typedef struct limn_recipe_shape {
    int texts, whole_texts, rows; /* of text parts; of those without chunks (T5); of the denoiser */
    int text_length;          /* tokens that the denoiser reads; 0: those of its settings */
    int text_skip;            /* last layers that text parts leave out; raw ones leave out one at least */
    int pictures;             /* of the denoiser's rows as many for each text */
    uint64_t left_out;        /* blocks that LIMN_ROLE_SKIPS does without (limn_build); 0: it is not wanted */
    int n_times;
    int height, width, factor; /* of the denoiser's pictures; a picture behind the decoder is factor times larger */
    int preview_factor;
    limn_tiling tiling;       /* of encoder, decoder and preview */
    bool encodes, decodes, previews; /* the parts of these roles are wanted */
    bool in_turn;             /* the decoder runs when the last step is made, and the denoiser has no more to do */
    limn_precision precision;
    size_t buffers;           /* bytes that the job itself will take */
} limn_recipe_shape;

/** One more part.  net: shared.  port: NULL, or [LIMN_PORTS] as limn_ports_look() has them.  @return LIMN_BAD_ARGUMENT: its
 *  settings build no network, or there are too many parts */
limn_status limn_recipe_add(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, limn_net *net,
                            limn_model_part door, const limn_port *port);
/** One more wire: "text.features -> denoiser.features", "l.pooled -> denoiser.pooled[768]", "l.features ->
 *  denoiser.features[0,768]" (token, channel); "text -> denoiser": every input of the second that the first has under its
 *  name.  @return LIMN_BAD_ARGUMENT: a sentence with the wire, what was expected and what there is */
limn_status limn_recipe_wire(limn_ctx *ctx, limn_recipe *r, const char *wire);
/** One more part on the net of another, fed as that one is.  @return LIMN_BAD_ARGUMENT: there are too many */
limn_status limn_recipe_twin(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, const limn_recipe_part *of);
/** Is every input fed, once, and does no part wait for itself?  @return LIMN_UNSUPPORTED naming the part and its input */
limn_status limn_recipe_check(limn_ctx *ctx, const limn_recipe *r);
/** The same parts and wires for another thread.  *out shares the nets. */
void limn_recipe_share(const limn_recipe *r, limn_recipe *out);
void limn_recipe_free(limn_recipe *r);
/** The parts of the roles from ENCODER on go; no wire leads to them. */
void limn_recipe_drop_coders(limn_recipe *r);
/** The first part of a role; NULL: none. */
limn_recipe_part *limn_recipe_find(const limn_recipe *r, limn_role role);

/**
 * Plan all parts that the job will run, say what they take together or at most, and be ready for their inputs.  Weights are
 * read by the first run of a part, or by limn_recipe_load().
 *
 * @return LIMN_NO_MEMORY before anything large is taken: the sentence has each part; what the weights' files say of shapes
 */
limn_status limn_recipe_begin(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *shape);
/** Before the first step, once the texts are written: they are encoded, unless they were, and all other weights read.
 *  @return what the weights' files say; LIMN_CANCELLED */
limn_status limn_recipe_load(limn_ctx *ctx, limn_recipe *r);
/** The weights of one part, which was begun, are read. */
limn_status limn_recipe_load_part(limn_ctx *ctx, limn_recipe_part *part);
/** The memory of a part that has no more to do for now is free, if it is worth it: of encoders weights and activations, of
 *  others activations.  All its inputs are to be written again, but what wires take of it stays. */
void limn_recipe_release(limn_recipe *r, limn_recipe_part *part);
/** What a job that comes later, named `what`, will take, said before anything is begun.  @return LIMN_NO_MEMORY */
limn_status limn_recipe_foresee(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *shape, const char *what);
/** Is there memory for such a job?  Nothing is said; the recorded sentence may change. */
bool limn_recipe_fits(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *shape);
/** Of a text part: these texts count as 0, others as they are encoded. */
void limn_recipe_zero_texts(limn_recipe *r, limn_recipe_part *part, unsigned texts);
/** The part of a role that has `before` of them before it; NULL: there are no more. */
limn_recipe_part *limn_recipe_find_next(const limn_recipe *r, limn_role role, int before);
/** The value of an input of a part that was begun.  Inputs that the part lacks are nothing to write. */
limn_status limn_recipe_write(limn_recipe_part *part, limn_port_name port, limn_dtype dtype, const void *data);
/** What a part of the role ENCODER, DECODER or PREVIEW makes of a picture or latent, in the tiles or strips that it was
 *  begun for.
 *  @return as limn_job_code() */
limn_status limn_recipe_code(limn_ctx *ctx, limn_recipe_part *part, limn_coder_sides latent, const float *from, float *to,
                             float *log_variance);
/** Run a part, before it the parts that feed it and whose inputs changed; progress is told of "text". */
limn_status limn_recipe_run(limn_ctx *ctx, limn_recipe *r, limn_recipe_part *part);

#endif
