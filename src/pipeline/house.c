/* The house: its guests. */
#include "pipeline/house.h"

#define GUESTS_MOST 100000

void house_accept_guest(struct house *house, struct text key_id)
{
    struct guests *guests = &house->guests;
    pthread_mutex_lock(&guests->lock);
    if (guests->accepted.count < GUESTS_MOST && table_get(&guests->accepted, key_id) == NULL)
        table_put(&guests->accepted, key_id, guests);
    pthread_mutex_unlock(&guests->lock);
}

bool house_knows_guest(struct house *house, struct text key_id)
{
    struct guests *guests = &house->guests;
    pthread_mutex_lock(&guests->lock);
    bool known = table_get(&guests->accepted, key_id) != NULL;
    pthread_mutex_unlock(&guests->lock);
    return known;
}
