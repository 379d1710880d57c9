/* labels.h: what the classes of a model are called, and which one a word means. */
#ifndef LIMN_PIPELINE_LABELS_H
#define LIMN_PIPELINE_LABELS_H

#include "pipeline/pipeline.h"

/**
 * p->class_name: of a model that Limn trained its metadata limn.classes; else id2label of FOLDER/model_index.json, as
 * diffusers' DiTPipeline reads it, else the lines of imagenet_classes.txt or classes.txt in the folder, or beside the file,
 * if they are as many as the network has classes.  None is no failure; a class without a name is "".
 *
 * @return LIMN_OK; LIMN_BAD_FILE: id2label names what is no class, or with no text; LIMN_IO, LIMN_NO_MEMORY
 */
limn_status limn_labels_read(limn_pipeline *p, const char *source);

#endif
