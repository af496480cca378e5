/* Where a Redis is. */
#include "wire/redis_url.h"

#include <stdio.h>

#include "../unit.h"

static struct redis_url url;
static struct fault fault;

static bool parse(const char *text)
{
    return redis_url_parse(text_of(text), &url, &fault);
}

START_TEST(a_host_alone_has_the_usual_port)
{
    ck_assert(parse("redis://cache.internal"));
    ck_assert_uint_eq(url.host_count, 1);
    ck_assert_str_eq(url.hosts[0].name, "cache.internal");
    ck_assert_int_eq(url.hosts[0].port, 6379);
    ck_assert_int_eq(url.db, 0);
    ck_assert_str_eq(url.password, "");
}
END_TEST

START_TEST(user_password_and_database_are_read)
{
    ck_assert(parse("redis://purser:a%2Fb%40c:d@10.0.0.1:7000/3"));
    ck_assert_str_eq(url.user, "purser");
    ck_assert_str_eq(url.password, "a/b@c:d");
    ck_assert_str_eq(url.hosts[0].name, "10.0.0.1");
    ck_assert_int_eq(url.hosts[0].port, 7000);
    ck_assert_int_eq(url.db, 3);
    ck_assert(parse("redis://:se@cret@h/"));
    ck_assert_str_eq(url.user, "");
    ck_assert_str_eq(url.password, "se@cret");
    ck_assert_str_eq(url.hosts[0].name, "h");
}
END_TEST

START_TEST(several_hosts_and_addresses_in_brackets)
{
    ck_assert(parse("redis://a:1,b,[::1]:2,[fe80::1]"));
    ck_assert_uint_eq(url.host_count, 4);
    ck_assert_str_eq(url.hosts[2].name, "::1");
    ck_assert_int_eq(url.hosts[2].port, 2);
    ck_assert_str_eq(url.hosts[3].name, "fe80::1");
    ck_assert_int_eq(url.hosts[3].port, 6379);
}
END_TEST

START_TEST(sentinels_name_their_master)
{
    ck_assert(parse("redis+sentinel://:pw@s1,s2:5000/mymaster/2"));
    ck_assert_str_eq(url.master, "mymaster");
    ck_assert_int_eq(url.hosts[0].port, 26379);
    ck_assert_int_eq(url.hosts[1].port, 5000);
    ck_assert_int_eq(url.db, 2);
}
END_TEST

START_TEST(sockets_have_a_path)
{
    ck_assert(parse("unix:/run/redis.sock"));
    ck_assert_str_eq(url.hosts[0].name, "/run/redis.sock");
    ck_assert_int_eq(url.hosts[0].port, 0);
    ck_assert(parse("unix://u:p@/run/a@b.sock"));
    ck_assert_str_eq(url.hosts[0].name, "/run/a@b.sock");
    ck_assert_str_eq(url.password, "p");
}
END_TEST

START_TEST(what_is_wrong_is_said_and_nothing_is_changed)
{
    static const struct {
        const char *url, *says;
    } wrong[] = {
        {"", "must begin with redis://"},
        {"http://h", "must begin with redis://"},
        {"redis://", "must name a host"},
        {"redis://a,", "must name a host"},
        {"redis://a b", "must name a host"},
        {"redis://[::1", "must name a host"},
        {"redis://a:0", "must have a port"},
        {"redis://a:65536", "must have a port"},
        {"redis://[::1]x", "must have a port"},
        {"redis://a:x", "must have a port"},
        {"redis://user@a", "must have a password"},
        {"redis://user:@a", "must have a password"},
        {"redis://:%4@a", "must have %xx"},
        {"redis://:%00@a", "must have %xx"},
        {"redis://:%zz@a", "must have %xx"},
        {"redis://a/x", "must have a database"},
        {"redis://a/-1", "must have a database"},
        {"redis+sentinel://a", "must name the master"},
        {"redis+sentinel://a/", "must name the master"},
        {"unix:run/redis.sock", "must name the socket"},
        {"redis://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "must have at most 16 hosts"},
    };
    ck_assert(parse("redis://kept"));
    for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
        ck_assert_msg(!parse(wrong[i].url), "%s is taken", wrong[i].url);
        ck_assert_msg(strstr(fault.message, wrong[i].says) != NULL, "%s: %s", wrong[i].url,
                      fault.message);
    }
    ck_assert_str_eq(url.hosts[0].name, "kept");
}
END_TEST

#ifdef HAVE_HIREDIS_SSL
START_TEST(tls_is_asked_for_by_the_scheme)
{
    ck_assert(parse("rediss://:pw@h,i:7000/2"));
    ck_assert(url.secure);
    ck_assert_int_eq(url.hosts[0].port, 6379);
    ck_assert_int_eq(url.hosts[1].port, 7000);
    ck_assert(parse("rediss+sentinel://s/mymaster"));
    ck_assert(url.secure);
    ck_assert_str_eq(url.master, "mymaster");
    ck_assert_int_eq(url.hosts[0].port, 26379);
    ck_assert(parse("redis://h"));
    ck_assert(!url.secure);
}
END_TEST
#else
START_TEST(tls_is_asked_for_by_the_scheme)
{
    static const char *const secure[] = {"rediss://h", "rediss+sentinel://h/mymaster"};
    for (size_t i = 0; i < UNIT_COUNT(secure); i++) {
        ck_assert(!parse(secure[i]));
        ck_assert_ptr_nonnull(strstr(fault.message, "no TLS"));
        ck_assert_ptr_nonnull(strstr(fault.message, "stunnel"));
    }
}
END_TEST
#endif

START_TEST(what_is_too_long_is_refused)
{
    char text[1200];
    static const char *const forms[] = {"redis://%0600d", "redis://:%0600d@h", "redis://%0600d:p@h",
                                        "redis+sentinel://h/%0600d", "unix:/%0600d"};
    for (size_t i = 0; i < UNIT_COUNT(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof(text), forms[i], 1);
#pragma GCC diagnostic pop
        ck_assert_msg(!parse(text), "%s", text);
        ck_assert_ptr_nonnull(strstr(fault.message, "shorter"));
    }
}
END_TEST

UNIT_MAIN(a_host_alone_has_the_usual_port, user_password_and_database_are_read,
          several_hosts_and_addresses_in_brackets, sentinels_name_their_master, sockets_have_a_path,
          what_is_wrong_is_said_and_nothing_is_changed, tls_is_asked_for_by_the_scheme,
          what_is_too_long_is_refused)
