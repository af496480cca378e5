/* The reader: a thread with a queue. */
#include "gear/reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BYTES_AT_ONCE ((size_t)1024 * 1024) /* between two looks whether it is to stop */

struct reader {
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct reading *first, **last;
};

void reading_free(void *context)
{
    struct reading *reading = context;
    buffer_close(&reading->bytes);
    free(reading);
}

void reader_ask(struct reader *reader, struct reading *reading)
{
    reading->next = NULL;
    pthread_mutex_lock(&reader->lock);
    *reader->last = reading;
    reader->last = &reading->next;
    pthread_cond_signal(&reader->wake);
    pthread_mutex_unlock(&reader->lock);
}

/* NULL: it is to stop. */
static struct reading *take_next(struct reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    while (reader->first == NULL && !atomic_load(&reader->stopping))
        pthread_cond_wait(&reader->wake, &reader->lock);
    struct reading *next = atomic_load(&reader->stopping) ? NULL : reader->first;
    if (next != NULL)
        reader->first = next->next;
    if (reader->first == NULL)
        reader->last = &reader->first;
    pthread_mutex_unlock(&reader->lock);
    return next;
}

/* False: it was stopped. */
static bool read_lines(struct reader *reader, struct reading *reading)
{
    size_t at = 0;
    while (jobs_read(&reading->jobs, reading->file, &at, BYTES_AT_ONCE)) {
        if (atomic_load(&reader->stopping))
            return false;
    }
    return true;
}

static void answer(struct reading *reading)
{
    struct letter *letter = letter_new(reading->to, READER_LETTER_ANSWER);
    letter->body = reading;
    letter->body_free = reading_free;
    mailbox_post(reading->mailbox, letter);
}

static void *reader_run(void *context)
{
    struct reader *reader = context;
    struct reading *reading;
    while ((reading = take_next(reader)) != NULL) {
        if (read_lines(reader, reading))
            answer(reading);
        else
            reading_free(reading);
    }
    return NULL;
}

struct reader *reader_open(void)
{
    struct reader *reader = memory_new(sizeof *reader);
    reader->last = &reader->first;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->wake, NULL);
    int result = pthread_create(&reader->thread, NULL, reader_run, reader);
    ASSERT(result == 0);
    return reader;
}

void reader_close(struct reader *reader)
{
    if (reader == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    atomic_store(&reader->stopping, true);
    pthread_cond_signal(&reader->wake);
    pthread_mutex_unlock(&reader->lock);
    pthread_join(reader->thread, NULL);
    while (reader->first != NULL) {
        struct reading *reading = reader->first;
        reader->first = reading->next;
        reading_free(reading);
    }
    pthread_cond_destroy(&reader->wake);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}
