/* A Redis's errors, by the words that all its versions have in them. */
#include "budget/redis_errors.h"

#include <string.h>

#define BY_ACL                                                                                     \
    "its ACL forbids this user what purser needs: README lists it under \"Several instances\""

/* A script's errors have the code somewhere within, or none, as Redis 7 has it. */
static const struct {
    const char *word, *advice;
} known[] = {
    {"NOPERM", BY_ACL},
    {"user executing the script", BY_ACL},
    {"ACL failure in script", BY_ACL},
    {"READONLY",
     "it is a replica, which takes no writes: name its master in store.redis, or the Sentinels"},
    {"NOAUTH", "it wants a password: write redis://user:password@host in store.redis"},
    {"WRONGPASS", "it does not take the user and password of store.redis: correct them there"},
    {"MISCONF", "it takes no writes as it cannot save its data: see its log, mostly its disk is "
                "full or may not be written"},
    {"OOM", "its memory is full: give it more (maxmemory)"},
};

bool redis_errors_explain(const char *error, struct fault *told)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(error, known[i].word) == NULL)
            continue;
        (void)fault_set(told, "%s (%.250s)", known[i].advice, error);
        return true;
    }
    (void)fault_set(told, "%s", error);
    return false;
}

const char *redis_errors_tell(const char *error, struct fault *told)
{
    if (error == NULL)
        (void)fault_set(told, "it is no Redis");
    else
        (void)redis_errors_explain(error, told);
    return told->message;
}
