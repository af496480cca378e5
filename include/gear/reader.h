/*
 * The reader: a thread that reads the lines of uploaded files (wire/jobs.h). One line may be as
 * large as its whole file, and dense JSON takes half a second for 18 MB: no loop could let other
 * requests wait for so long. Files are read one after the other, in the order of asking.
 */
#ifndef PURSER_GEAR_READER_H
#define PURSER_GEAR_READER_H

#include "base/mailbox.h"
#include "wire/jobs.h"

/* A file to be read, and what its lines say once it was. */
struct reading {
    struct reading *next; /* the reader's own */
    struct mailbox *mailbox;
    uint64_t to;         /* whom the answer is for */
    struct buffer bytes; /* the file is within */
    struct text file;
    struct jobs jobs; /* the answer; before: zero */
};

struct reader;

struct reader *reader_open(void);
/* What waits is not read any more; nobody is told. Before the mailboxes are closed. NULL-safe. */
void reader_close(struct reader *reader);

/* Takes the reading (from memory_new), and its bytes. It comes back as the body of a letter; who
 * takes it from there frees it by reading_free, as does the letter. Any thread. */
#define READER_LETTER_ANSWER 5
void reader_ask(struct reader *reader, struct reading *reading);
void reading_free(void *reading);

#endif
