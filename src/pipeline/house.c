/* The house: its guests, and the bookings under way. */
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

bool house_begin_booking(struct house *house, struct text name)
{
    struct bookings *bookings = &house->bookings;
    pthread_mutex_lock(&bookings->lock);
    bool begun = table_get(&bookings->names, name) == NULL;
    if (begun)
        table_put(&bookings->names, name, bookings);
    pthread_mutex_unlock(&bookings->lock);
    return begun;
}

void house_end_booking(struct house *house, struct text name)
{
    struct bookings *bookings = &house->bookings;
    pthread_mutex_lock(&bookings->lock);
    void *ended = table_remove(&bookings->names, name);
    pthread_mutex_unlock(&bookings->lock);
    ASSERT(ended != NULL);
}
