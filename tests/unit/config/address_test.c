/* Addresses: URLs, places to listen, hosts that are this machine, hosts of providers. */
#include "../unit.h"
#include "config/address.h"

START_TEST(takes_a_url_apart)
{
    struct address address;
    ck_assert(address_from_url(TEXT("https://api.openai.com/v1"), &address, NULL));
    UNIT_TEXT(address.scheme, "https");
    UNIT_TEXT(address.host, "api.openai.com");
    UNIT_TEXT(address.port, "");
    UNIT_TEXT(address.path, "/v1");
    ck_assert(address_from_url(TEXT("HTTP://[fe80::1]:81"), &address, NULL));
    UNIT_TEXT(address.host, "[fe80::1]");
    UNIT_TEXT(address.port, "81");
    UNIT_TEXT(address.path, "");
}
END_TEST

static const char *const BAD_URLS[] = {"",
                                       "x",
                                       "ftp://x",
                                       "https://",
                                       "https:///v1",
                                       "https://a b/",
                                       "https://a:x/",
                                       "https://a:65536",
                                       "https://a:-1",
                                       "https://a:",
                                       "https://u@a/",
                                       "https://u:p@a/",
                                       "https://a/?q",
                                       "https://a/#f",
                                       "https://[::1",
                                       "https://[::1]x:8",
                                       "https://[]",
                                       "https://a\xc3\xa4/",
                                       "https://a*/"};

START_TEST(refuses_urls_that_are_none)
{
    for (size_t i = 0; i < UNIT_COUNT(BAD_URLS); i++) {
        struct address address = {.host = TEXT("untouched")};
        struct fault fault = {""};
        ck_assert_msg(!address_from_url(text_of(BAD_URLS[i]), &address, &fault), "%s", BAD_URLS[i]);
        ck_assert(fault.message[0] != '\0');
        UNIT_TEXT(address.host, "untouched");
    }
}
END_TEST

START_TEST(takes_a_place_to_listen_apart)
{
    struct address address;
    ck_assert(address_from_listen(TEXT("127.0.0.1:8080"), &address, NULL));
    UNIT_TEXT(address.host, "127.0.0.1");
    UNIT_TEXT(address.port, "8080");
    ck_assert(address_from_listen(TEXT("[::1]:0"), &address, NULL));
    UNIT_TEXT(address.host, "[::1]");
    UNIT_TEXT(address.port, "0");
    ck_assert(!address_from_listen(TEXT("[::1]"), &address, NULL));
    ck_assert(!address_from_listen(TEXT("::1:80"), &address, NULL));
    ck_assert(!address_from_listen(TEXT("80"), &address, NULL));
    ck_assert(!address_from_listen(TEXT(""), &address, NULL));
}
END_TEST

START_TEST(knows_which_hosts_are_this_machine)
{
    ck_assert(address_is_loopback(TEXT("localhost")));
    ck_assert(address_is_loopback(TEXT("127.0.0.1")));
    ck_assert(address_is_loopback(TEXT("127.9.9.9")));
    ck_assert(address_is_loopback(TEXT("[::1]")));
    ck_assert(!address_is_loopback(TEXT("0.0.0.0")));
    ck_assert(!address_is_loopback(TEXT("127.evil.example")));
    ck_assert(!address_is_loopback(TEXT("128.0.0.1")));
    ck_assert(!address_is_loopback(TEXT("[::]")));
    ck_assert(!address_is_loopback(TEXT("")));
}
END_TEST

START_TEST(knows_the_providers_by_their_hosts)
{
    UNIT_TEXT(address_provider(TEXT("api.openai.com")), "openai");
    UNIT_TEXT(address_provider(TEXT("eu.api.openai.com")), "openai");
    UNIT_TEXT(address_provider(TEXT("mine.openai.azure.com")), "azure");
    UNIT_TEXT(address_provider(TEXT("api.x.ai")), "xai");
    UNIT_TEXT(address_provider(TEXT("bedrock-runtime.eu-west-1.amazonaws.com")), "bedrock");
    UNIT_TEXT(address_provider(TEXT("api.openai.com.evil.example")), "");
    UNIT_TEXT(address_provider(TEXT("xapi.openai.com")), "");
    UNIT_TEXT(address_provider(TEXT("localhost")), "");
}
END_TEST

UNIT_MAIN(takes_a_url_apart, refuses_urls_that_are_none, takes_a_place_to_listen_apart,
          knows_which_hosts_are_this_machine, knows_the_providers_by_their_hosts)
