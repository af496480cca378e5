/*
 * The log: one line per event on standard error, as text or JSON. Thread-safe by one write(2) per
 * line. The level is the only global of the program. Never prompts, completions or keys.
 */
#ifndef PURSER_BASE_LOG_H
#define PURSER_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
bool log_wants(enum log_level level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) (log_wants(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)  (log_wants(LOG_INFO) ? log_line(LOG_INFO, __VA_ARGS__) : (void)0)
#define log_warn(...)  (log_wants(LOG_WARN) ? log_line(LOG_WARN, __VA_ARGS__) : (void)0)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
