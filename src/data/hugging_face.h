/* hugging_face.h - the shapes of a model from the config.json that lies beside its weights. Private. */
#ifndef BM_HUGGING_FACE_H
#define BM_HUGGING_FACE_H

#include "bm/data.h"
#include "json_reader.h"

/* Such a file, of whatever family: it has no $.id, but says $.architectures or $.model_type. */
bool bm_hugging_face_is(const json_t *root);
/* The families Llama, Qwen, Mixtral, DeepSeek and Hunyuan; others are refused with the list. Keys that say
 * nothing of shapes are passed over, for every family has its own. The id is the name of the file's folder.
 */
enum bm_status bm_hugging_face_read(const struct bm_json *root, struct bm_model *model,
                                    struct bm_error *error) BM_CHECK_RESULT;

#endif
