/* `purser serve`: builds the house, runs it, shuts it down. */
#include "cli/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/assembly.h"
#include "cli/cores.h"
#include "cli/fitting.h"
#include "cli/reload.h"
#include "cli/usage.h"
#include "front/listener.h"
#include "upstream/connection.h"

#define LETTER_STOP     100             /* finish what runs */
#define LETTER_STOP_NOW 101             /* end what runs */
#define LAST_WORDS_US   (2 * 1000000ll) /* for cut replies to leave */

/* A worker, its listener and its thread. */
struct station {
    struct worker worker;
    struct listener *listener;
    pthread_t thread;
    struct loop_timer drain;
    bool stopping, cut;
};

struct stations {
    struct station *at;
    size_t count;
};

/* ---- stopping a worker, on its own thread ---- */

static void end_what_runs(void *context)
{
    struct station *station = context;
    struct worker *worker = &station->worker;
    if (station->cut) {
        listener_cut(station->listener);
        return;
    }
    station->cut = true;
    if (worker->calls.count > 0)
        log_warn("%zu calls are still running: ended, and booked", worker->calls.count);
    worker_end_all(worker);
    loop_timer_set(worker->loop, &station->drain, LAST_WORDS_US);
}

static void take_letter(void *context, struct letter *letter)
{
    struct station *station = context;
    if (letter->kind == LETTER_STOP && !station->stopping) {
        station->stopping = true;
        listener_stop_taking(station->listener);
        loop_timer_set(station->worker.loop, &station->drain,
                       station->worker.terms->drain_ms * 1000);
        letter_free(letter);
    } else if (letter->kind == LETTER_STOP_NOW) {
        if (!station->cut)
            end_what_runs(station);
        letter_free(letter);
    } else if (letter->kind == LETTER_STOP) {
        letter_free(letter);
    } else if (letter->kind == RELOAD_LETTER) {
        reload_adopt(&station->worker, letter);
    } else {
        desk_letter(&station->worker, letter);
    }
}

/* The last hook of a turn: a stopping worker without work leaves its loop. */
static bool leave_when_idle(void *context)
{
    struct station *station = context;
    const struct worker *worker = &station->worker;
    if (station->stopping && worker->requests.count == 0 && worker->calls.count == 0 &&
        !worker_has_work(worker))
        loop_stop(worker->loop);
    return false;
}

static void *run_station(void *context)
{
    struct station *station = context;
    loop_run(station->worker.loop);
    return NULL;
}

/* ---- the whole ---- */

static void open_stations(struct stations *stations, struct estate *estate,
                          const struct listener_options *options)
{
    for (size_t i = 0; i < stations->count; i++) {
        struct station *station = &stations->at[i];
        worker_open(&station->worker, &estate->house, estate->terms, clock_real());
        station->worker.on_letter = take_letter;
        station->worker.letter_context = station;
        station->drain.due = end_what_runs;
        station->drain.context = station;
        station->listener = listener_open(&station->worker, options);
        loop_at_turn_end(station->worker.loop, leave_when_idle, station);
    }
    estate_resume(estate, &stations->at[0].worker);
    for (size_t i = 0; i < stations->count; i++) {
        int problem = pthread_create(&stations->at[i].thread, NULL, run_station, &stations->at[i]);
        ASSERT(problem == 0);
    }
}

static void tell_all(struct stations *stations, int kind)
{
    for (size_t i = 0; i < stations->count; i++)
        mailbox_post(stations->at[i].worker.mailbox, letter_new(0, kind));
}

/* Everybody has left the loops before anybody's mailbox closes: letters still fly between. */
static void close_stations(struct stations *stations)
{
    for (size_t i = 0; i < stations->count; i++) {
        struct station *station = &stations->at[i];
        loop_timer_cancel(station->worker.loop, &station->drain);
        station->cut = true; /* a late LETTER_STOP_NOW finds nothing to end */
        listener_close(station->listener);
    }
    for (size_t i = 0; i < stations->count; i++)
        worker_close(&stations->at[i].worker);
}

static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigdelset(&set, SIGPIPE);
    sigdelset(&set, SIGXFSZ);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    ASSERT(fd >= 0);
    return fd;
}

/* All that are pending are taken: SIGHUP comes first, and many would keep SIGTERM away for ever. */
static bool next_is_reload(int signals)
{
    struct signalfd_siginfo infos[3]; /* of each kind one can be pending */
    ssize_t got;
    do
        got = read(signals, infos, sizeof infos);
    while (got < 0 && errno == EINTR);
    ASSERT(got >= (ssize_t)sizeof *infos);
    bool reload = true;
    for (size_t i = 0; i < (size_t)got / sizeof *infos; i++)
        reload = reload && infos[i].ssi_signo == SIGHUP;
    return reload;
}

struct second_signal {
    int signals;
    int over; /* readable once there is nothing left to hurry */
    struct stations *stations;
};

/* A second SIGTERM or SIGINT ends the drain. */
static void *hurry(void *context)
{
    struct second_signal *second = context;
    struct pollfd ears[] = {{.fd = second->signals, .events = POLLIN},
                            {.fd = second->over, .events = POLLIN}};
    for (;;) {
        if (poll(ears, 2, -1) < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        if (ears[1].revents != 0)
            return NULL;
        if (!next_is_reload(second->signals))
            break;
        log_warn("SIGHUP: purser is stopping, nothing is reloaded");
    }
    tell_all(second->stations, LETTER_STOP_NOW);
    return NULL;
}

static void await_stations(struct stations *stations, int signals)
{
    struct second_signal second = {signals, eventfd(0, EFD_CLOEXEC), stations};
    pthread_t hurrier;
    ASSERT(second.over >= 0);
    bool waits = pthread_create(&hurrier, NULL, hurry, &second) == 0;
    for (size_t i = 0; i < stations->count; i++)
        pthread_join(stations->at[i].thread, NULL);
    int written = eventfd_write(second.over, 1);
    ASSERT(written == 0);
    if (waits)
        pthread_join(hurrier, NULL);
    close(second.over);
}

/* ---- running ---- */

static void hand_over(struct stations *stations, struct handover *handover)
{
    for (size_t i = 0; handover != NULL && i < stations->count; i++)
        mailbox_post(stations->at[i].worker.mailbox, reload_letter(handover));
}

static void reload(struct estate *estate, const char *path, struct stations *stations,
                   struct ringer *ringers)
{
    hand_over(stations, reload_begin(estate, path, stations->count, ringers));
}

static void hear(struct estate *estate, const char *path, struct stations *stations)
{
    struct ringer *ringers = bell_hear(estate->house.bell), *one;
    while ((one = bell_pick(&ringers)) != NULL)
        hand_over(stations, assembly_hear(estate, stations->count, one));
    if (ringers != NULL)
        reload(estate, path, stations, ringers);
}

/* What the main thread does until a signal says to stop. */
static void attend(struct estate *estate, const char *path, struct stations *stations, int signals)
{
    struct pollfd ears[] = {{.fd = signals, .events = POLLIN},
                            {.fd = bell_fd(estate->house.bell), .events = POLLIN}};
    for (;;) {
        if (poll(ears, 2, council_wait_ms(estate->council)) < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        if (ears[0].revents != 0 && !next_is_reload(signals))
            return;
        if (ears[0].revents != 0)
            reload(estate, path, stations, NULL);
        if (ears[1].revents != 0)
            hear(estate, path, stations);
        hand_over(stations, assembly_look(estate, stations->count));
    }
}

static void run(struct estate *estate, const char *path, int socket, int signals)
{
    const struct config *config = estate->config;
    atomic_size_t connections = 0;
    const struct listener_options options = {
        .socket = socket,
        .connections_most = (size_t)config->connections,
        .connections = &connections,
    };
    struct stations stations = {
        .count = config->workers > 0 ? (size_t)config->workers : cores_available(),
    };
    stations.at = memory_new(stations.count * sizeof *stations.at);
    estate->house.calls_most = options.connections_most;
    ledger_start(estate->house.ledger);
    open_stations(&stations, estate, &options);
    log_info("purser " PURSER_VERSION " listens on %.*s with %zu worker%s",
             TEXT_ARG(config->listen), stations.count, stations.count == 1 ? "" : "s");
    attend(estate, path, &stations, signals);
    log_info("stopping: requests in flight may finish for %lld s",
             (long long)estate->terms->drain_ms / 1000);
    atomic_store(&estate->house.stopping, true);
    bell_silence(estate->house.bell);
    shutdown(socket, SHUT_RDWR); /* newcomers are refused at once, not left to wait in a queue */
    tell_all(&stations, LETTER_STOP);
    await_stations(&stations, signals);
    estate_dismiss_writers(estate);
    close_stations(&stations);
    free(stations.at);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void print_findings(const struct findings *findings, const char *path)
{
    struct buffer out = {0};
    findings_print(findings, path == NULL ? TEXT_NONE : text_of(path), &out);
    fprintf(stderr, "%s", buffer_string(&out));
    buffer_close(&out);
}

static struct terms *load(const char *path)
{
    struct findings findings = {0};
    struct terms *terms = draft_load(path, NULL, &findings);
    print_findings(&findings, path);
    findings_close(&findings);
    return terms;
}

/* What was made at run time is known before anybody is served; what of it contradicts the file does
 * not keep purser from starting: somebody else may have made it meanwhile. Takes the terms. */
static struct terms *amend(struct terms *terms, const char *path, struct council **council)
{
    struct fault fault;
    struct findings findings = {0};
    struct terms *amended = NULL;
    struct bylaws *none = bylaws_open(), *held = NULL;
    *council = council_open(draft_config(terms), &fault);
    if (*council == NULL)
        log_error("%s", fault.message);
    else
        amended = fitting_most(terms, council_bylaws(*council), none, &held, &findings);
    if (amended != NULL)
        council_enact(*council, held);
    if (findings.errors > 0)
        print_findings(&findings, path);
    findings_close(&findings);
    bylaws_close(none);
    bylaws_close(held);
    terms_drop(terms);
    return amended;
}

static int serve(const char *path)
{
    int signals = block_signals();
    struct council *council = NULL;
    struct terms *terms = load(path);
    if (terms == NULL)
        return 1;
    log_setup(draft_config(terms)->log_level, draft_config(terms)->log_format);
    terms = amend(terms, path, &council);
    if (terms == NULL) {
        council_close(council);
        return 1;
    }
    const struct config *config = draft_config(terms);
    raise_file_limit();
    connections_prepare();
    struct fault fault;
    struct estate estate;
    int socket, status = 1;
    if (!listener_bind(config->listen, &socket, &fault)) {
        log_error("%s", fault.message);
    } else if (!estate_open(&estate, terms, &fault)) {
        log_error("%s", fault.message);
        close(socket);
    } else {
        estate.council = council;
        reload_enact(&estate, council_in_force(council), NULL);
        atomic_store(&estate.house.unread, council_unread(council));
        run(&estate, path, socket, signals);
        estate_close(&estate);
        close(socket);
        log_info("stopped: everything is booked");
        status = 0;
    }
    terms_drop(terms);
    council_close(council);
    connections_forget();
    close(signals);
    return status;
}

static const char manual[] =
    "usage: purser serve [--config FILE]\n"
    "\n"
    "Runs the proxy. Ctrl-C or SIGTERM ends it once running requests have ended; SIGHUP reads "
    "FILE\n"
    "again. Without FILE it listens on 127.0.0.1:8080 for this machine alone, forwards to OpenAI\n"
    "with OPENAI_API_KEY, and caps the day at PURSER_BUDGET_USD.\n";

int cli_serve(int argc, char **argv)
{
    const char *path = NULL;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            path = argv[++i];
        } else {
            fprintf(stderr, "purser serve: do not understand '%s'\n%s", argv[i], manual);
            return 2;
        }
    }
    return serve(path);
}
