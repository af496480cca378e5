/*
 * `purser health [URL]`: asks a running purser whether it is alive, for health checks of
 * containers, whose image has no curl.
 */
#ifndef PURSER_CLI_HEALTH_H
#define PURSER_CLI_HEALTH_H

/* argv[0] is "health". Without URL it asks http://127.0.0.1:8080/healthz; a URL without a path gets
 * /healthz, one without a port 80; https is refused. To connect and to answer purser has 2 s each.
 * Returns the exit status: 0 if the answer is a 200; 1 if it is another one or there is none, with
 * the reason on standard error; 2 for a command line that it does not understand. */
int cli_health(int argc, char **argv);

#endif
