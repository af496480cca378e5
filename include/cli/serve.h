/*
 * `purser serve [--config FILE]`: runs until SIGTERM or SIGINT; then streams may finish for
 * limits.drain_seconds, everything is booked and synced. A second signal ends the waiting.
 */
#ifndef PURSER_CLI_SERVE_H
#define PURSER_CLI_SERVE_H

/* argv[0] is "serve". Returns the exit status: 0 after a clean stop, 1 if it could not start, 2 for
 * a command line that it does not understand. */
int cli_serve(int argc, char **argv);

#endif
