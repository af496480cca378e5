/*
 * What requests for images and sound may cost (wire/body.h, struct body_media): by the piece, by
 * tokens, or flat. Their maximum cannot be lowered, so all of it is held.
 *
 * By the piece: as many images as asked for, as many characters as are to be spoken, as many
 * seconds as the file can be (wire/sound.h). The price of an image may depend on its size and
 * quality: then the catalog has records "<quality>/<width>-x-<height>/<model>", or without the
 * quality, and the model's own has the dearest price.
 *
 * By tokens: of text the body's bytes, of each image given MEDIA_IMAGE_TOKENS, of sound the model's
 * max_input_tokens; out of it come the model's max_output_tokens, for each image made.
 *
 * Flat (`hold_usd`): a price per call; nothing else counts.
 */
#ifndef PURSER_PIPELINE_MEDIA_H
#define PURSER_PIPELINE_MEDIA_H

#include "pipeline/request.h"

/* An image that comes in: of high fidelity 6240 tokens, and of low fidelity 65 and 129 for each of
 * at most 4 tiles of its copy of 512 pixels' shortest side (OpenAI's guide to image generation). */
#define MEDIA_IMAGE_TOKENS 7000

/* The record for the image that is asked for, if the model is priced by size and quality; else
 * `model`, which may be NULL. `find` looks a name up. */
const struct model *media_find(const struct request *request, const struct model *model,
                               struct text sent, int64_t when_s);

/* Once the model's price is known: bounds the request's tokens (body.input_bound, extra_output), or
 * notes that nothing bounds them (body.unbounded_param). At other endpoints too a model that is
 * priced by pieces alone which are not theirs has no bound: what it costs there nobody says. */
void media_bound(struct request *request);

/* A catalog's name of a size or quality: nobody can ask for it as a model. */
bool media_is_size(struct text name);

/* The pieces that the request may have, for its bound. */
void media_pieces(const struct request *request, int64_t pieces[PIECE_COUNT]);

/* The pieces alone price it, and they are known exactly before it is sent. */
bool media_is_exact(const struct request *request);

#endif
