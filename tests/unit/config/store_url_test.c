/* Where the store is: what TLS needs besides the URL. */
#include "config/compare.h"
#include "config/store_url.h"
#include "fixture.h"

/* Its tls at line 10. */
#define STORE(url, tls) KEYS UPSTREAMS BUDGETS "store:\n  redis: \"" url "\"\n  tls: {" tls "}\n"

static struct redis_url url;
static struct fault fault;

START_TEST(files_are_found_beside_the_configuration_unless_their_paths_are_whole)
{
    struct fixture fixture = fixture_load(
        STORE("redis://h", "ca: /dev/null, cert: /dev/zero, key: /dev/full, server_name: r.test"));
    ck_assert_msg(fixture.config != NULL, "%s", fixture_told(&fixture.findings));
    ck_assert_msg(config_store_url(fixture.config, &url, &fault), "%s", fault.message);
    ck_assert_str_eq(url.hosts[0].name, "h");
    ck_assert_str_eq(url.tls.ca, "/dev/null");
    ck_assert_str_eq(url.tls.cert, "/dev/zero");
    ck_assert_str_eq(url.tls.key, "/dev/full");
    ck_assert_str_eq(url.tls.server_name, "r.test");
    fixture_close(&fixture);
    WARNS(STORE("redis://h", "ca: own.pem"), 10, "store.tls.ca: cannot read etc/own.pem");
}
END_TEST

START_TEST(a_path_must_be_short_enough_with_its_folder)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT(KEYS UPSTREAMS BUDGETS "store:\n  redis: \"\"\n  tls: {ca: "));
    for (size_t i = 0; i < 1023; i++)
        buffer_put_byte(&yaml, 'a');
    buffer_put(&yaml, TEXT("}\n"));
    REFUSES(buffer_string(&yaml), 10, "store.tls.ca: with its folders");
    buffer_close(&yaml);
}
END_TEST

START_TEST(nothing_is_needed)
{
    struct fixture fixture = fixture_load(STORE("unix:/run/redis.sock", ""));
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    ck_assert(config_store_url(fixture.config, &url, &fault));
    ck_assert_str_eq(url.tls.ca, "");
    ck_assert_str_eq(url.tls.server_name, "");
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_certificate_goes_with_a_key)
{
    REFUSES(STORE("redis://h", "cert: /dev/null"), 10, "store.tls.cert: goes with a key");
    REFUSES(STORE("redis://h", "key: /dev/null"), 10, "store.tls.key: goes with a cert");
}
END_TEST

START_TEST(what_is_not_used_is_told)
{
    WARNS(STORE("redis://h", "ca: /dev/null"), 10, "store.tls: not used");
    WARNS(STORE("", "server_name: h"), 10, "store.tls: not used");
    struct fixture wrong = fixture_load(STORE("nonsense://h", "server_name: h"));
    ck_assert_msg(wrong.findings.count == 1, "%s", fixture_told(&wrong.findings));
    fixture_close(&wrong);
}
END_TEST

UNIT_MAIN(files_are_found_beside_the_configuration_unless_their_paths_are_whole,
          a_path_must_be_short_enough_with_its_folder, nothing_is_needed,
          a_certificate_goes_with_a_key, what_is_not_used_is_told)
