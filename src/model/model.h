/* model.h: the families of networks, their settings, and building them as graphs. */
#ifndef LIMN_MODEL_H
#define LIMN_MODEL_H

#include "base/base.h"
#include "limn/graph.h"
#include "limn/network.h"

enum {
    LIMN_MAX_SETTINGS = 32,
    LIMN_CONFIG_BYTES = 256,
    LIMN_SETTING_MOST = 16,
    LIMN_SETTING_BYTES = 192,
    LIMN_SETTINGS_BYTES = 1024
};

typedef enum limn_setting_kind {
    LIMN_SETTING_INT,    /* int */
    LIMN_SETTING_FLAG,   /* bool, 0 or 1 */
    LIMN_SETTING_CHOICE, /* an enum, whose constants stand in the order of the words */
    LIMN_SETTING_REAL,   /* double */
    LIMN_SETTING_LIST,   /* int[] */
} limn_setting_kind;

/* How a list is written. */
typedef enum limn_list_form {
    LIMN_LIST_ELEMENTS,  /* mult1=1 mult2=2 ..., all that there is room for */
    LIMN_LIST_DIGITS,    /* as one number, a digit each, as long as all are below 10: 124 */
    LIMN_LIST_COMMAS,    /* 2,2,10; one number is one number: 12 */
} limn_list_form;

/* One field of a network's struct and the name it has in texts.  Beside a choice NAME may lie a number NAME_most: NAME=16 is
 * NAME_most=16.  A list is set as a whole (mult=1,2,4 or [1,2,4]) or by element (mult1=1 mult2=2), where it is written so,
 * as versions before lists wrote it, and read it. */
typedef struct limn_setting {
    const char *name;
    size_t offset;            /* of the field */
    limn_setting_kind kind;
    double value, min, max;   /* default and range; the range of a list is that of each number */
    const char *choices;      /* NULL, or words separated by "|" */
    const char *help;
    const int *values;        /* default of a list */
    int n_values, most;       /* how many these are, and how many there is room for */
    size_t count;             /* offset of the int that says how many a list has; it may be a setting, too */
    limn_list_form form;      /* of a list */
    const char *fixed;        /* a real that is written under this name where it is a whole number of 1/per */
    int per;
} limn_setting;

typedef struct limn_family limn_family;

typedef struct limn_settings {
    const limn_family *family;
    _Alignas(double) unsigned char config[LIMN_CONFIG_BYTES]; /* the family's struct, dit_config ... */
    unsigned char is_set[LIMN_MAX_SETTINGS]; /* by name: 1, or how many numbers of a list; the others may follow (imply) */
} limn_settings;

/* Where data enters and leaves a network that was built.  Ports a network lacks are NULL. */
typedef struct limn_ports {
    limn_node *image;      /* [B,H,W,C], PER_STEP */
    limn_node *condition;  /* beside image, PER_PROMPT: a small picture, enlarged `enlarge` times [B,H,W,C]; what is to be
                              filled in: mask and latent [B,H,W,1 + C] */
    limn_node *guidance;   /* [1]: guidance - 1, of networks that are told; PER_PROMPT */
    limn_node *timesteps;  /* 0..1000.  training: [B]; running: a table [S], PER_PROMPT */
    limn_node *step;       /* running: rank-0 index into the table, PER_STEP */
    limn_node *ids;        /* text ids [B,T], PER_PROMPT */
    limn_node *vectors;    /* limn_build.vectors: added to the words [B,T,D], PER_PROMPT */
    limn_node *kept;       /* beside them what words are multiplied by before that, 1 or 0 [B,T,1] */
    limn_node *mask;       /* beside ids that are filled up: 1 for text, 0 for padding [B,T], PER_PROMPT */
    limn_node *text_end;   /* row of each caption's end token in [B*T, D]: b*T + position, [B] */
    limn_node *features;   /* text features [B,T,D]: an input where no text encoder is built in; a text encoder's output */
    limn_node *sizes;      /* [B,n], PER_PROMPT: sides of the picture and where it was cut, as the network is told them */
    limn_node *resolution; /* [B,3], PER_PROMPT: height and width of the picture, and the former by the latter */
    limn_node *label;      /* class [B]; the number of classes means "none" */
    limn_node *tokens;     /* image tokens [B,T,D] after the last block */
    limn_node *output;     /* prediction [B,H,W,C] (2C with learned variance); text encoder: [B,T,D] */
    limn_node *pooled_text;/* [B,D]; an input beside features that are one */
    limn_node *latent; /* autoencoders, [B,h,w,c]: what the encoder makes (the mean), what the decoder reads; whole: mean +
                          exp(log_variance / 2) noise */
    limn_node *mean, *log_variance,
        *noise; /* [B,h,w,c], where an encoder gives a distribution: vae.  noise: an input, whole networks only */
} limn_ports;

/* An autoencoder is one description with two doors.  Whole (training, drawing) its output is the picture that went in, come
 * back; built as a part, only the nodes and parameters of that part exist, under the same names, and output is the latent's
 * mean or the picture. Pictures are in [-1,1] at every port, whatever range the published weights were trained with. */
typedef enum limn_model_part {
    LIMN_PART_WHOLE,
    LIMN_PART_ENCODER,
    LIMN_PART_DECODER,
    LIMN_PART_TEXT, /* of a denoiser with text_encoder=clip the encoder alone, which also is all of a text encoder */
} limn_model_part;

typedef struct limn_build {
    int batch;
    int n_steps;           /* 0: training, timesteps [B]; else the length of the table */
    limn_model_part part;
    int height, width;     /* of the picture, each what limn_family.side asks for; 0: that of the settings.  What a family
                              builds has both. */
    int text_length;       /* tokens of the features that are an input; 0: those of the settings */
    int text_skip;         /* last layers of a text encoder that are left out ("clip skip"; its final norm stays) */
    bool text_raw;         /* its features are what comes before the final norm; what is pooled has seen all layers */
    bool text_pools;       /* beside raw features the whole text is made, too, where it is not projected */
    bool vectors;          /* a text encoder reads words that are no ids, but vectors (textual inversion) */
    uint64_t left_out;     /* bit i: without block i of a denoiser's limn_interface.blocks (skip-layer guidance) */
} limn_build;

/* What a network is to those who use it, of whichever family: what it lacks is 0. */
typedef struct limn_interface {
    int width, height, channels;  /* of the picture or latent that goes in */
    int out_channels;             /* of what comes out: those of the picture (and as many of its variance), or classes */
    bool learned_variance;        /* out_channels are twice the picture's */
    int classes;                  /* labels of pictures, or classes of pixels */
    bool always_labelled;         /* no row of the table of labels means "no class" */
    int enlarge;                  /* a picture so many times smaller is the condition */
    bool inpaints;                /* what is to be filled in is the condition */
    bool edits;                   /* the picture that a text changes is the condition */
    bool told_guidance;           /* one call is guided already */
    int sizes;                    /* numbers that it is told about the picture's sides: 6, or 5 and a score of beauty */
    bool told_resolution;         /* height, width and their ratio (port resolution) */
    int pooled_width;             /* of what it is told of a whole text, or makes by a projection */
    bool reads_ids;               /* a text encoder is part of the network */
    int vocabulary;               /* of that encoder: 512 bytes + merges + 2 */
    int text_length, text_width;  /* of the features that it reads, or makes */
    int text_depth;               /* layers of a text encoder */
    const struct limn_text_config *text_encoder; /* in the settings; NULL: none is part of the network */
    int token_side;               /* pixels along one side of a token */
    int blocks;                   /* that limn_build.left_out can leave out: the first 64 at most; 0: none */
    int grid;                     /* segments: pixels along one side that the last level sees as one */
    int latent, factor;           /* autoencoders: channels of the latent, pixels of the picture along a side of its pixel */
    double scale, shift;          /* diffusion sees (latent - shift) scale */
} limn_interface;

struct limn_family {
    limn_family_kind kind;
    const char *name, *task, *input, *output, *loss; /* for people */
    const limn_setting *settings; /* ends with a NULL name; those of a picture have size and channels */
    limn_interface (*interface)(const void *config);
    void (*build)(limn_graph *g, const void *config, limn_build b, limn_ports *ports);
    /** NULL, or what is wrong with the settings together, but for the sides of the picture. */
    const char *(*check)(const void *config);
    /** NULL, or what a side of the picture, 1 pixel or more, must be instead: "a multiple of patch".  Networks without a
     *  picture have none. */
    const char *(*side)(const void *config, int pixels);
    bool learned_places;   /* what is learned of places stands in a row: as many in another order would be read unseen */
    /** NULL, or sets what follows from the settings that were set by name, by limn_settings_default(). */
    void (*imply)(limn_settings *s);
};

typedef struct limn_preset {
    const char *name, *family;
    const char *settings;  /* "depth=24 width=1024" */
} limn_preset;

extern const limn_family limn_family_dit, limn_family_mmdit, limn_family_uvit, limn_family_hdit, limn_family_unet,
    limn_family_clip_text, limn_family_vae, limn_family_tae, limn_family_ddpm, limn_family_ddpm_mnist, limn_family_adm,
    limn_family_ldm_unet, limn_family_t5_text, limn_family_pixart;
extern const limn_family *const limn_families[]; /* ends with NULL */
extern const limn_preset limn_presets[];         /* ends with a NULL name */

/** Settings of a family or preset by name.  @return LIMN_NOT_FOUND with the names there are */
limn_status limn_settings_find(limn_ctx *ctx, const char *name, limn_settings *out);
/** A family or preset by name, settings behind it: "dit-s/2 size=64".  @return as limn_settings_find() and
 *  limn_settings_apply() */
limn_status limn_settings_named(limn_ctx *ctx, const char *text, limn_settings *out);
/** One "name=value".  @return LIMN_BAD_ARGUMENT naming the setting and its range, or the nearest name there is */
limn_status limn_settings_set(limn_ctx *ctx, limn_settings *s, const char *assignment);
/** Several, between spaces: "depth=24 attention=joint". */
limn_status limn_settings_apply(limn_ctx *ctx, limn_settings *s, const char *assignments);
/** The family's struct: `const dit_config *cfg = limn_settings_config(s)`. */
const void *limn_settings_config(const limn_settings *s);
/** A value for one of its fields (&cfg->norm) that was not set by name. */
void limn_settings_default(limn_settings *s, const void *field, double value);
/** Was the field set by name? */
bool limn_settings_is_said(const limn_settings *s, const void *field);
/** The field, or element of a list, as if set by name.  @return as limn_settings_set() */
limn_status limn_settings_assign(limn_ctx *ctx, limn_settings *s, const void *field, double value);
limn_status limn_settings_assign_list(limn_ctx *ctx, limn_settings *s, const int *field, int n, const int *values);
/** The size of the picture and its channels, where they were not set by name.  @return LIMN_BAD_ARGUMENT: the network cannot
 *  have as many */
limn_status limn_settings_default_picture(limn_ctx *ctx, limn_settings *s, int size, int channels);
/** The size alone, as if it had not been set by name.  @return false: it is out of range, and stays */
bool limn_settings_put_size(limn_settings *s, int pixels);
/** A list that was set as a whole has as many numbers as the setting that counts them says, or a sentence. */
limn_status limn_settings_check_lists(limn_ctx *ctx, const limn_settings *s);
limn_interface limn_model_interface(const limn_settings *s);
/** NULL, or what a side of the picture, 1 pixel or more, must be instead: limn_family.side. */
const char *limn_model_side(const limn_settings *s, int pixels);
/** All settings of a family at their defaults. */
void limn_settings_defaults(limn_settings *s, const limn_family *family);
/** The value of row i as text: a number, a word or a list.  out needs LIMN_SETTING_BYTES. @return out */
const char *limn_setting_text(const limn_settings *s, int i, char *out);
/** Whether row i of two networks of one family is the same. */
bool limn_setting_same(const limn_settings *a, const limn_settings *b, int i);
/** "dit size=64 channels=4 ...": every setting, readable by limn_settings_parse().  out needs LIMN_SETTINGS_BYTES, which
 *  hold those of any family. */
char *limn_settings_text(const limn_settings *s, char *out);
limn_status limn_settings_parse(limn_ctx *ctx, const char *text, limn_settings *out);

/** What is wrong with the settings together?  @return LIMN_BAD_ARGUMENT with a sentence, which names the nearest size that
 *  is right */
limn_status limn_settings_check(limn_ctx *ctx, const limn_settings *s);
/** Build a network into g.  @return LIMN_BAD_ARGUMENT as limn_settings_check(), or for a picture of sides that the network
 *  cannot have */
limn_status limn_model_build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports);

#endif
