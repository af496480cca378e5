/* The modes of records in somebody else's file: see money/catalog_foreign.h. */
#include "money/catalog_foreign.h"

static const struct catalog_foreign_mode MODES[] = {
    {TEXT("chat"), MODEL_CHAT, {{TEXT_NONE, 0}}},
    {TEXT("completion"), MODEL_CHAT, {{TEXT_NONE, 0}}},
    {TEXT("responses"), MODEL_CHAT, {{TEXT_NONE, 0}}},
    {TEXT("embedding"), MODEL_EMBEDDING, {{TEXT_NONE, 0}}},
    {TEXT("moderation"), MODEL_OTHER, {{TEXT_NONE, 0}}},
    {TEXT("image_generation"),
     MODEL_OTHER,
     {{TEXT("input_cost_per_image"), PIECE_IMAGE}, {TEXT("output_cost_per_image"), PIECE_IMAGE}}},
    {TEXT("image_edit"),
     MODEL_OTHER,
     {{TEXT("input_cost_per_image"), PIECE_IMAGE}, {TEXT("output_cost_per_image"), PIECE_IMAGE}}},
    {TEXT("audio_speech"), MODEL_OTHER, {{TEXT("input_cost_per_character"), PIECE_CHARACTER}}},
    {TEXT("audio_transcription"),
     MODEL_OTHER,
     {{TEXT("input_cost_per_second"), PIECE_SECOND},
      {TEXT("output_cost_per_second"), PIECE_SECOND}}},
};

const struct catalog_foreign_mode *catalog_foreign_mode(struct text name)
{
    for (size_t at = 0; at < sizeof(MODES) / sizeof(MODES[0]); at++) {
        if (text_equal(name, MODES[at].name))
            return &MODES[at];
    }
    return NULL;
}
