/* How long any file of sound is: a number of seconds or none, and read no further than its end. */
#include "fuzz.h"
#include "wire/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool exact, again;
    struct text file = text_make((const char *)data, size);
    int64_t seconds = sound_seconds(file, &exact);
    demand(seconds >= 0);
    demand(seconds == SOUND_UNBOUNDED || seconds < 1000000000000);
    demand(!exact || seconds != SOUND_UNBOUNDED);
    demand(sound_seconds(file, &again) == seconds && again == exact);
    return 0;
}
