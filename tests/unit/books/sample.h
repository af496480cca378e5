/*
 * What tests of the books share: sample entries, and a directory that is gone when the test ends.
 */
#ifndef PURSER_TESTS_BOOKS_SAMPLE_H
#define PURSER_TESTS_BOOKS_SAMPLE_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../disk.h"
#include "../unit.h"
#include "base/clock.h"
#include "books/entry.h"

/* 2026-11-21T20:15:00.123456 UTC */
#define SAMPLE_US     INT64_C(1795292100123456)
#define SAMPLE_S      (SAMPLE_US / 1000000)
#define SAMPLE_DAY_US INT64_C(86400000000)

struct sample_dir {
    char path[64];
};

static inline struct sample_dir sample_dir_make(void)
{
    struct sample_dir dir = {"/tmp/purser-books-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(dir.path));
    return dir;
}

static inline void sample_dir_remove(const struct sample_dir *dir)
{
    disk_remove(dir->path);
}

/* The whole of a file below `dir`; an empty buffer if there is none. */
static inline struct buffer sample_read(const struct sample_dir *dir, const char *name)
{
    struct buffer content = {0};
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    FILE *file = fopen(path, "rb");
    char piece[4096];
    for (size_t size = 0; file != NULL && (size = fread(piece, 1, sizeof(piece), file)) > 0;)
        buffer_put(&content, text_make(piece, size));
    if (file != NULL)
        (void)fclose(file);
    return content;
}

static inline void sample_write(const struct sample_dir *dir, const char *name, struct text content)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content.at, 1, content.size, file), content.size);
    (void)fclose(file);
}

static inline void sample_remove(const struct sample_dir *dir, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    ck_assert_int_eq(unlink(path), 0);
}

static inline struct charge sample_charge(uint64_t account, int64_t amount)
{
    return (struct charge){.account = account,
                           .amount = amount,
                           .until_s = SAMPLE_S + 7200,
                           .unit = UNIT_USD,
                           .scope = SCOPE_TEAM,
                           .budget = TEXT("team-day"),
                           .id = TEXT("research"),
                           .window = "2026-11-21"};
}

/* A line of a call; `charge` (may be NULL) must outlive the entry. */
static inline struct entry sample_entry(enum entry_kind kind, const char *call,
                                        const struct charge *charge)
{
    bool settles = kind == ENTRY_SETTLE || kind == ENTRY_FORFEIT || kind == ENTRY_REFUND;
    bool holds = kind == ENTRY_RESERVE || kind == ENTRY_EXTEND;
    struct text request = text_of(call);
    return (struct entry){
        .kind = kind,
        .wall_us = SAMPLE_US,
        .request_id = text_slice(request, 0, 28), /* "req_" and 24 digits */
        .call = request,
        .attempt = 1,
        .model = TEXT("gpt-4o-mini"),
        .endpoint = TEXT("/v1/chat/completions"),
        .service = TEXT("openai"),
        .upstream = TEXT("openai"),
        .key = TEXT("alice"),
        .prompt_tokens = settles ? 100 : 0,
        .cached_tokens = settles ? 40 : 0,
        .completion_tokens = settles ? 20 : 0,
        .reasoning_tokens = settles ? 5 : 0,
        .cost = {settles && charge != NULL ? charge->amount : 0},
        .hold = {holds && charge != NULL ? charge->amount : 0},
        .usage_source = settles ? USAGE_REPORTED : USAGE_NONE,
        .charges = charge,
        .charge_count = charge == NULL ? 0 : 1,
        .status = settles ? 200 : 0,
        .ttft_ms = -1,
        .duration_ms = settles ? 12 : -1,
    };
}

/* "req_<time><n>.1": the n-th call of a test at SAMPLE_US. */
static inline const char *sample_call(int n, char room[48])
{
    (void)snprintf(room, 48, "req_%012llx%012x.1", (unsigned long long)(SAMPLE_US / 1000), n);
    return room;
}

#endif
