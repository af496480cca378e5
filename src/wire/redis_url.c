/*
 * Taken apart by hand: the list of hosts is no URL that a library knows.
 */
#include "wire/redis_url.h"

#include <string.h>

#define PATH_MOST 107 /* of sockaddr_un, without its zero */
#define PORT_MOST 65535
#define DB_MOST   1000000

static const struct scheme {
    struct text prefix;
    int port; /* 0: a path follows */
    bool sentinel, secure;
} SCHEMES[] = {
    {{"redis://", 8}, REDIS_PORT, false, false},
    {{"rediss://", 9}, REDIS_PORT, false, true},
    {{"redis+sentinel://", 17}, REDIS_SENTINEL_PORT, true, false},
    {{"rediss+sentinel://", 18}, REDIS_SENTINEL_PORT, true, true},
    {{"unix:", 5}, 0, false, false},
};

#ifdef HAVE_HIREDIS_SSL
#define CAN_TLS true
#else
#define CAN_TLS false
#endif

static bool copy(struct text from, char *to, size_t room, const char *what, struct fault *fault)
{
    if (from.size >= room || memchr(from.at, '\0', from.size) != NULL)
        return fault_set(fault, "must have a shorter %s: at most %zu bytes", what, room - 1);
    memcpy(to, from.at, from.size);
    to[from.size] = '\0';
    return true;
}

static int hex(char digit)
{
    const char *digits = "0123456789abcdef";
    char lower = digit >= 'A' && digit <= 'F' ? (char)(digit + 32) : digit;
    const char *found = lower == '\0' ? NULL : strchr(digits, lower);
    return found == NULL ? -1 : (int)(found - digits);
}

/* 0 if they are no two digits. */
static int decoded(const char digits[2])
{
    int high = hex(digits[0]), low = hex(digits[1]);
    return high < 0 || low < 0 ? 0 : 16 * high + low;
}

static bool copy_decoded(struct text from, char *to, size_t room, const char *what,
                         struct fault *fault)
{
    size_t size = 0;
    for (size_t i = 0; i < from.size; i++) {
        int byte = (unsigned char)from.at[i];
        if (byte == '%') {
            byte = i + 2 < from.size ? decoded(from.at + i + 1) : 0;
            i += 2;
        }
        if (byte == 0)
            return fault_set(fault, "must have %%xx of two hexadecimal digits in its %s", what);
        if (size + 1 >= room)
            return fault_set(fault, "must have a shorter %s: at most %zu bytes", what, room - 1);
        to[size++] = (char)byte;
    }
    to[size] = '\0';
    return true;
}

/* Takes "user:password@" off the front of `rest`. */
static bool take_user(struct text *rest, struct redis_url *url, struct fault *fault)
{
    size_t slash = text_find(*rest, TEXT("/"), 0);
    size_t at = SIZE_MAX;
    for (size_t found = text_find(*rest, TEXT("@"), 0); found < slash;
         found = text_find(*rest, TEXT("@"), found + 1))
        at = found;
    if (at == SIZE_MAX)
        return true;
    struct text who = text_slice(*rest, 0, at);
    size_t colon = text_find(who, TEXT(":"), 0);
    if (colon == SIZE_MAX || colon + 1 == who.size)
        return fault_set(fault, "must have a password before the \"@\": user:password@, or "
                                ":password@ for the default user");
    *rest = text_from(*rest, at + 1);
    return copy_decoded(text_slice(who, 0, colon), url->user, sizeof(url->user), "user", fault) &&
           copy_decoded(text_from(who, colon + 1), url->password, sizeof(url->password), "password",
                        fault);
}

static bool is_host(struct text name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.at[i] <= 0x20 || name.at[i] >= 0x7f || strchr("@?#%[]", name.at[i]) != NULL)
            return false;
    return name.size > 0;
}

static bool take_host(struct text whole, int port, struct redis_url *url, struct fault *fault)
{
    if (url->host_count == REDIS_HOSTS_MOST)
        return fault_set(fault, "must have at most %d hosts", REDIS_HOSTS_MOST);
    struct redis_host *host = &url->hosts[url->host_count++];
    bool bracketed = text_starts(whole, TEXT("["));
    size_t end = bracketed ? text_find(whole, TEXT("]"), 0) : text_find(whole, TEXT(":"), 0);
    struct text name = text_slice(whole, bracketed, end);
    struct text behind = end == SIZE_MAX ? TEXT_NONE : text_from(whole, end + bracketed);
    if (!is_host(name) || (bracketed && end == SIZE_MAX))
        return fault_set(fault, "must name a host (IPv6 in [brackets])");
    int64_t number = port;
    if (behind.size > 0 && (behind.at[0] != ':' || !text_to_int(text_from(behind, 1), &number) ||
                            number < 1 || number > PORT_MOST))
        return fault_set(fault, "must have a port from 1 to %d behind the colon", PORT_MOST);
    host->port = (int)number;
    return copy(name, host->name, sizeof(host->name), "host", fault);
}

static bool take_db(struct text db, struct redis_url *url, struct fault *fault)
{
    int64_t number = 0;
    if (db.size > 0 && (!text_to_int(db, &number) || number < 0 || number > DB_MOST))
        return fault_set(fault, "must have a database's number behind the last \"/\"");
    url->db = (int)number;
    return true;
}

static bool parse_hosts(const struct scheme *scheme, struct text rest, struct redis_url *url,
                        struct fault *fault)
{
    struct text path = rest;
    struct text hosts = text_split(&path, '/');
    while (hosts.at != NULL)
        if (!take_host(text_split(&hosts, ','), scheme->port, url, fault))
            return false;
    if (scheme->sentinel) {
        struct text master = text_split(&path, '/');
        if (master.size == 0)
            return fault_set(fault,
                             "must name the master behind the Sentinels: "
                             "%.*shost:26379/mymaster",
                             TEXT_ARG(scheme->prefix));
        if (!copy(master, url->master, sizeof(url->master), "name of the master", fault))
            return false;
    }
    return take_db(path, url, fault);
}

static bool parse_path(struct text path, struct redis_url *url, struct fault *fault)
{
    if (!text_starts(path, TEXT("/")))
        return fault_set(fault, "must name the socket by its whole path: unix:/run/redis.sock");
    url->host_count = 1;
    return copy(path, url->hosts[0].name, PATH_MOST + 1, "path", fault);
}

bool redis_url_parse(struct text url, struct redis_url *parsed, struct fault *fault)
{
    struct redis_url parts = {0};
    const struct scheme *scheme = NULL;
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++)
        if (text_starts(url, SCHEMES[i].prefix))
            scheme = &SCHEMES[i];
    if (scheme == NULL)
        return fault_set(fault, "must begin with redis://, rediss://, redis+sentinel://, "
                                "rediss+sentinel:// or unix:/");
    if (scheme->secure && !CAN_TLS)
        return fault_set(fault,
                         "must not be %.*s: this build has no TLS for Redis, because its "
                         "hiredis had none; let stunnel listen on this machine and name "
                         "that by redis://",
                         TEXT_ARG(scheme->prefix));
    parts.secure = scheme->secure;
    struct text rest = text_from(url, scheme->prefix.size);
    bool authority = scheme->port != 0 || text_starts(rest, TEXT("//"));
    if (scheme->port == 0 && authority)
        rest = text_from(rest, 2);
    if (authority && !take_user(&rest, &parts, fault))
        return false;
    if (!(scheme->port == 0 ? parse_path(rest, &parts, fault)
                            : parse_hosts(scheme, rest, &parts, fault)))
        return false;
    *parsed = parts;
    return true;
}
