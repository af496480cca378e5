/*
 * The log. What a message says may come from outsiders (model names, upstream errors), so nothing
 * in it may end the line early or steer the operator's terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

/* Longer messages end in "...": a line should fit into a pipe (PIPE_BUF) in one piece. */
#define MESSAGE_SIZE 2048

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_TEXT;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

void log_setup(enum log_level least, enum log_format format)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* C1 controls (U+0080 to U+009F) steer some terminals as well as the ASCII ones do. */
static bool is_control(struct text character)
{
    unsigned char first = (unsigned char)character.at[0];
    if (character.size == 2)
        return first == 0xC2 && (unsigned char)character.at[1] < 0xA0;
    return character.size == 1 && (first < ' ' || first == 0x7F);
}

/* Backslashes are doubled, so that what is escaped can be told from what looks like it. */
static void put_escaped(struct buffer *line, struct text message)
{
    while (message.size > 0) {
        int size = utf8_size(message);
        struct text character = text_slice(message, 0, size > 0 ? (size_t)size : 1);
        if (character.at[0] == '\\')
            buffer_put(line, TEXT("\\\\"));
        else if (character.at[0] == '\n')
            buffer_put(line, TEXT("\\n"));
        else if (size > 0 && !is_control(character))
            buffer_put(line, character);
        else
            for (size_t i = 0; i < character.size; i++)
                buffer_printf(line, "\\x%02x", (unsigned)(unsigned char)character.at[i]);
        message = text_from(message, character.size);
    }
}

static void put_line(struct buffer *line, enum log_level level, struct text message)
{
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(clock_wall_us(clock_real()), stamp);
    if (atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_TEXT) {
        buffer_printf(line, "%s %-5s ", stamp, level_names[level]);
        put_escaped(line, message);
    } else {
        buffer_put_byte(line, '{');
        json_put_text_member(line, TEXT("timestamp"), text_of(stamp));
        json_put_text_member(line, TEXT("level"), text_of(level_names[level]));
        json_put_text_member(line, TEXT("message"), message);
        buffer_put_byte(line, '}');
    }
    buffer_put_byte(line, '\n');
}

void log_line(enum log_level level, const char *format, ...)
{
    int errno_before = errno; /* callers log first and look at errno afterwards */
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    ASSERT(size >= 0);

    if ((size_t)size >= sizeof(message))
        memcpy(message + sizeof(message) - sizeof("..."), "...", sizeof("..."));

    struct buffer line = {0};
    put_line(&line, level, text_of(message));
    ssize_t written;
    do
        written = write(STDERR_FILENO, line.at, line.size);
    while (written < 0 && errno == EINTR);
    buffer_close(&line);
    errno = errno_before;
}
