/* Fingerprints: what shares an answer, and what never does. */
#include "../unit.h"
#include "cache/fingerprint.h"
#include "sample_body.h"

static struct arena arena;
static struct keyed_hasher *hasher;
static const uint8_t secret[KEYED_HASH_KEY] = "a secret of thirty-two bytes...";

struct print {
    uint8_t digest[FINGERPRINT_SIZE];
};

static bool equal(struct print a, struct print b)
{
    return memcmp(a.digest, b.digest, FINGERPRINT_SIZE) == 0;
}

static struct print print_of(const struct fingerprint_ask *ask)
{
    struct print print;
    if (hasher == NULL)
        hasher = keyed_hasher_open(secret);
    fingerprint_request(ask, hasher, print.digest);
    return print;
}

static struct body read_body(enum endpoint endpoint, struct text raw)
{
    struct body body;
    struct body_error error;
    ck_assert_msg(body_read(endpoint, raw, &arena, &body, &error), "%.*s: %s", TEXT_ARG(raw),
                  error.message);
    return body;
}

static struct fingerprint_ask plain_ask(const struct body *body)
{
    return (struct fingerprint_ask){
        .name_space = TEXT("key alice"), .routes = TEXT("1"), .body = body};
}

static struct print chat_print(struct text raw, bool normalized)
{
    struct body body = read_body(ENDPOINT_CHAT, raw);
    struct fingerprint_ask ask = plain_ask(&body);
    ask.normalized = normalized;
    return print_of(&ask);
}

static struct print members_print(const char *members, bool normalized)
{
    struct text raw = arena_printf(&arena, "{\"model\":\"m\",%s}", members);
    return chat_print(raw, normalized);
}

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

static bool share(const char *a, const char *b)
{
    return equal(members_print(a, false), members_print(b, false));
}

START_TEST(the_same_in_another_spelling_shares)
{
    static const char *const same[] = {
        "\"temperature\":0," HELLO,
        " \"temperature\" : 0.0 ,\n\t" HELLO " ",
        HELLO ",\"temperature\":-0e7",
        "\"\\u0074emperature\":0,\"messages\":[{\"role\":\"\\u0075ser\",\"content\":"
        "\"H\\u0065llo\"}]",
        "\"temperature\":0,\"messages\":[ {\"role\" : \"user\", \"content\" :\"Hello\" } ]",
        "\"temperature\":0,\"stream\":true,\"user\":\"bob\"," HELLO,
        "\"temperature\":0,\"stream_options\":{\"include_usage\":true},\"metadata\":{\"a\":\"b\"},"
        "\"safety_identifier\":\"x\",\"prompt_cache_key\":\"k\",\"prompt_cache_retention\":"
        "\"24h\"," HELLO,
    };
    for (size_t i = 1; i < UNIT_COUNT(same); i++)
        ck_assert_msg(share(same[0], same[i]), "%s", same[i]);
}
END_TEST

START_TEST(whatever_else_differs_does_not_share)
{
    static const char *const others[] = {
        HELLO,
        HELLO ",\"temperature\":0.1",
        HELLO ",\"temperature\":null",
        HELLO ",\"temperature\":0,\"seed\":1",
        HELLO ",\"temperature\":0,\"seed\":10",
        HELLO ",\"temperature\":0,\"seed\":\"1\"",
        HELLO ",\"temperature\":0,\"seed\":[1]",
        HELLO ",\"temperature\":0,\"x\":1,\"x\":2",
        HELLO ",\"temperature\":0,\"x\":2,\"x\":1",
        HELLO ",\"temperature\":0,\"x\":1",
        HELLO ",\"temperature\":0,\"User\\u0000\":1",
        HELLO ",\"temperature\":0,\"tools\":[]",
        HELLO ",\"temperature\":0,\"x\":{\"a\":1,\"b\":2}",
        HELLO ",\"temperature\":0,\"x\":{\"b\":2,\"a\":1}",
        HELLO ",\"temperature\":0,\"x\":{\"b\":2.0,\"a\":1}",
        HELLO ",\"temperature\":0,\"x\":\"\\ud800\"",
        HELLO ",\"temperature\":0,\"x\":\"\\ufffd\"",
        HELLO ",\"temperature\":0,\"x\":\"\\\\ufffd\"",
        HELLO ",\"temperature\":0,\"x\":1000000000000000000000000000000000000000000000001",
        HELLO ",\"temperature\":0,\"x\":1000000000000000000000000000000000000000000000002",
        HELLO ",\"temperature\":0,\"x\":1e999999999999999999999991",
        HELLO ",\"temperature\":0,\"x\":1e999999999999999999999992",
        "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]",
        "\"messages\":[{\"role\":\"user\",\"content\":\"Hello \"}]",
        "\"messages\":[{\"role\":\"user\",\"content\":[\"Hello\"]}]",
        "\"messages\":[{\"content\":\"Hello\",\"role\":\"user\"}]",
        "\"messages\":[{\"role\":\"system\",\"content\":\"Hello\"}]",
        "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"},{\"role\":\"user\"}]",
    };
    struct print prints[UNIT_COUNT(others)];
    for (size_t i = 0; i < UNIT_COUNT(others); i++) {
        prints[i] = members_print(others[i], false);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!equal(prints[i], prints[j]), "%s\n%s", others[i], others[j]);
    }
}
END_TEST

START_TEST(many_members_share_in_their_order)
{
    struct buffer more = {0};
    for (int i = 0; i < 300; i++)
        buffer_printf(&more, "\"x%d\":%d,", i, i);
    const char *first = arena_printf(&arena, "%s" HELLO, buffer_string(&more)).at;
    const char *spaced = arena_printf(&arena, "%s  " HELLO, buffer_string(&more)).at;
    const char *other = arena_printf(&arena, "%s\"y\":1," HELLO, buffer_string(&more)).at;
    ck_assert(share(first, spaced));
    ck_assert(!share(first, other));
    buffer_close(&more);
}
END_TEST

START_TEST(who_shares_and_where_calls_go_count)
{
    struct body chat = read_body(ENDPOINT_CHAT, TEXT("{\"model\":\"m\",\"messages\":[]}"));
    struct body prompt =
        read_body(ENDPOINT_COMPLETIONS, TEXT("{\"model\":\"m\",\"prompt\":\"x\"}"));
    struct body prompt_as_chat = prompt;
    prompt_as_chat.endpoint = ENDPOINT_CHAT;
    const struct fingerprint_header beta = {TEXT("OpenAI-Beta"), TEXT("x")};
    const struct fingerprint_header gamma = {TEXT("OpenAI-Beta"), TEXT("y")};
    struct fingerprint_ask asks[10];
    for (size_t i = 0; i < UNIT_COUNT(asks); i++)
        asks[i] = plain_ask(&chat);
    asks[1].name_space = TEXT("key alic");
    asks[2].name_space = TEXT("key alice1");
    asks[2].routes = TEXT("");
    asks[3].routes = TEXT("2");
    asks[4].name_space = TEXT("team alice");
    asks[5].body = &prompt;
    asks[6].body = &prompt_as_chat;
    asks[7].headers = &beta;
    asks[7].header_count = 1;
    asks[8].headers = &gamma;
    asks[8].header_count = 1;
    asks[9].normalized = true;
    for (size_t i = 0; i < UNIT_COUNT(asks); i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!equal(print_of(&asks[i]), print_of(&asks[j])), "%zu %zu", i, j);
}
END_TEST

START_TEST(headers_count_in_any_order_and_case)
{
    struct body body = read_body(ENDPOINT_CHAT, TEXT("{\"model\":\"m\",\"messages\":[]}"));
    const struct fingerprint_header one[] = {{TEXT("A"), TEXT("1")}, {TEXT("b"), TEXT("2")}};
    const struct fingerprint_header two[] = {{TEXT("B"), TEXT("2")}, {TEXT("a"), TEXT("1")}};
    const struct fingerprint_header three[] = {{TEXT("a"), TEXT("2")}, {TEXT("b"), TEXT("1")}};
    struct fingerprint_header many[100];
    struct fingerprint_ask ask = plain_ask(&body);
    ask.headers = one;
    ask.header_count = 2;
    struct print print = print_of(&ask);
    ask.headers = two;
    ck_assert(equal(print, print_of(&ask)));
    ask.headers = three;
    ck_assert(!equal(print, print_of(&ask)));

    for (size_t i = 0; i < UNIT_COUNT(many); i++)
        many[i] = one[i % 2];
    ask.headers = many;
    ask.header_count = UNIT_COUNT(many);
    print = print_of(&ask);
    ck_assert(equal(print, print_of(&ask)));
    ask.header_count--;
    ck_assert(!equal(print, print_of(&ask)));
}
END_TEST

START_TEST(another_key_gives_other_prints)
{
    static const uint8_t other[KEYED_HASH_KEY] = "another";
    struct body body = read_body(ENDPOINT_CHAT, TEXT("{\"model\":\"m\",\"messages\":[]}"));
    struct fingerprint_ask ask = plain_ask(&body);
    struct keyed_hasher *other_hasher = keyed_hasher_open(other);
    struct print print;
    fingerprint_request(&ask, other_hasher, print.digest);
    ck_assert(!equal(print, print_of(&ask)));
    keyed_hasher_close(other_hasher);
}
END_TEST

static struct print input_print(const struct fingerprint_ask *ask, struct text input)
{
    struct print print;
    fingerprint_inputs(ask, &input, 1, hasher, &print.digest);
    return print;
}

START_TEST(one_input_is_told_from_a_request_and_from_another_input)
{
    struct body many =
        read_body(ENDPOINT_EMBEDDINGS, TEXT("{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"x\":1}"));
    struct body one =
        read_body(ENDPOINT_EMBEDDINGS, TEXT("{\"x\":1.0, \"input\":\"a\",\"model\":\"m\"}"));
    struct body other = read_body(ENDPOINT_EMBEDDINGS, TEXT("{\"input\":\"a\",\"model\":\"m\"}"));
    struct fingerprint_ask ask = plain_ask(&many);
    struct print a, b, alone, without, whole;
    whole = print_of(&ask);
    a = input_print(&ask, TEXT("\"a\""));
    b = input_print(&ask, TEXT("\"b\""));
    ask = plain_ask(&one);
    alone = input_print(&ask, TEXT("\"\\u0061\""));
    ck_assert(equal(a, alone));
    ck_assert(!equal(a, b));
    ck_assert(!equal(whole, a));
    ck_assert(!equal(print_of(&ask), alone));
    ask = plain_ask(&other);
    without = input_print(&ask, TEXT("\"a\""));
    ck_assert(!equal(a, without));
}
END_TEST

/* ---- normalized ---- */

static bool share_folded(const char *a, const char *b)
{
    return equal(members_print(a, true), members_print(b, true));
}

#define ASK(content) "\"messages\":[{\"role\":\"user\",\"content\":" content "}]"
#define AFTER(content)                                                                             \
    "\"messages\":[{\"role\":\"user\",\"content\":" content "},{\"role\":"                         \
    "\"assistant\",\"content\":\"Yes\"}]"

START_TEST(normalized_folds_the_last_user_message)
{
    static const struct {
        const char *a, *b;
        bool shares;
    } cases[] = {
        {ASK("\"What is  it?\""), ASK("\"  what IS\\tit \\n\""), true},
        {ASK("\"What is it?!.\""), ASK("\"what is it ? \""), true},
        {ASK("\"What is it?\""), ASK("\"what isit\""), false},
        {ASK("\"What is it?\""), ASK("\"what is? it\""), false},
        {ASK("\"\xC3\x89\""), ASK("\"\xC3\xA9\""), false},
        {ASK("\"?\""), ASK("\"!\""), false},
        {ASK("\"\\ud800 a\""), ASK("\"\\ufffd a\""), false},
        {ASK("[{\"type\":\"text\",\"text\":\"A b.\"}]"),
         ASK("[{\"type\":\"text\",\"text\":\"a  B\"}]"), true},
        {ASK("[{\"type\":\"text\",\"text\":\"A b.\"}]"), ASK("\"A b.\""), false},
        {ASK("[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":\"b\"}]"),
         ASK("[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":\"B\"}]"), false},
        {ASK("[{\"type\":\"image_url\",\"text\":\"A\"}]"),
         ASK("[{\"type\":\"image_url\",\"text\":\"a\"}]"), false},
        {ASK("\"x\",\"content\":\"A\""), ASK("\"x\",\"content\":\"a\""), false},
        {ASK("\"A\",\"role\":\"tool\""), ASK("\"a\",\"role\":\"tool\""), false},
        {AFTER("\"Really?\""), AFTER("\"really\""), true},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"A\"},{\"role\":\"user\",\"content\":\"b\"}"
         "]",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}"
         "]",
         false},
        {"\"messages\":[{\"role\":\"system\",\"content\":\"A\"}]",
         "\"messages\":[{\"role\":\"system\",\"content\":\"a\"}]", false},
        {ASK("\"a\",\"name\":\"X\""), ASK("\"a\",\"name\":\"x\""), false},
        {ASK("\"a\"") ",\"stop\":\"X\"", ASK("\"a\"") ",\"stop\":\"x\"", false},
        {ASK("null"), ASK("null"), true},
        {ASK("[]"), ASK("[7]"), false},
        {"\"messages\":[]", "\"messages\":[]", true},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        ck_assert_msg(share_folded(cases[i].a, cases[i].b) == cases[i].shares, "%s\n%s", cases[i].a,
                      cases[i].b);
        ck_assert_msg(strcmp(cases[i].a, cases[i].b) == 0 || !share(cases[i].a, cases[i].b), "%s",
                      cases[i].a);
    }
}
END_TEST

/* ---- properties ---- */

static struct chance dice = {UINT64_C(88172645463325252)};

/* A body: some members, and messages with texts. */
static struct node *random_body(struct arena *where)
{
    struct node *body = arena_new(where, sizeof(*body));
    body->kind = JSON_OBJECT;
    body->size = 1 + chance(&dice, NODE_MOST - 1);
    for (size_t i = 0; i < body->size; i++) {
        struct node *child = random_node(&dice, where, 3);
        (void)snprintf(child->name, sizeof(child->name), "m%zu", i);
        body->children[i] = child;
    }
    return body;
}

/* With what must be there, in any order and spelling, and some of what does not count. */
static struct print written(const struct node *body, bool chance_on, struct buffer *raw)
{
    static const char *const fixed[] = {
        "\"model\":\"m\"",         "\"messages\" : [ ]",           "\"stream\":true",
        "\"user\":\"u%u\"",        "\"metadata\":{\"k\":\"v%u\"}", "\"prompt_cache_key\":\"%u\"",
        "\"safety_identifier\":%u"};
    size_t order[UNIT_COUNT(fixed) + NODE_MOST];
    size_t all = UNIT_COUNT(fixed) + body->size;
    for (size_t i = 0; i < all; i++) {
        size_t to = chance_on ? chance(&dice, (uint32_t)i + 1) : i;
        order[i] = order[to];
        order[to] = i;
    }
    buffer_clear(raw);
    buffer_put_byte(raw, '{');
    for (size_t i = 0; i < all; i++) {
        bool left_out = order[i] >= 2 && order[i] < UNIT_COUNT(fixed) && chance(&dice, 2) == 0;
        if (left_out)
            continue;
        buffer_put(raw, raw->size > 1 ? TEXT(",") : TEXT(""));
        put_space(&dice, raw);
        if (order[i] < UNIT_COUNT(fixed)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buffer_printf(raw, fixed[order[i]], chance(&dice, 100));
#pragma GCC diagnostic pop
            continue;
        }
        const struct node *member = body->children[order[i] - UNIT_COUNT(fixed)];
        put_name(&dice, raw, member->name);
        put_node(&dice, raw, member, true);
    }
    buffer_put_byte(raw, '}');
    return chat_print(buffer_text(raw), false);
}

/* Any node of the tree; `*named` tells whether it is a member. */
static struct node *any_node(struct node *body, bool *named)
{
    *named = true;
    struct node *node = body->children[chance(&dice, (uint32_t)body->size)];
    while (node->kind >= JSON_ARRAY && node->size > 0 && chance(&dice, 3) > 0) {
        *named = node->kind == JSON_OBJECT;
        node = node->children[chance(&dice, (uint32_t)node->size)];
    }
    return node;
}

static void change_text(struct node *node)
{
    size_t at = node->size == 0 ? 0 : chance(&dice, (uint32_t)node->size);
    if (node->size > 0 && chance(&dice, 2) == 0)
        node->text[at] = node->text[at] == 'Q' ? 'R' : 'Q';
    else if (node->size < NODE_CHARS)
        node->text[node->size++] = 'Q';
    else
        node->size--;
}

/* Changes what the node says. */
static void change(struct node *node, struct arena *where)
{
    switch (node->kind) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        node->kind = (enum json_kind)((node->kind + 1 + chance(&dice, 2)) % 3);
        break;
    case JSON_NUMBER:
        node->digits += 1;
        break;
    case JSON_STRING:
        change_text(node);
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (node->size == NODE_MOST || (node->size > 0 && chance(&dice, 2) == 0)) {
            node->size--;
        } else if (chance(&dice, 4) == 0 && node->size == 0) {
            node->kind = node->kind == JSON_ARRAY ? JSON_OBJECT : JSON_ARRAY;
        } else {
            node->children[node->size] = random_node(&dice, where, 1);
            (void)snprintf(node->children[node->size]->name, 24, "added");
            node->size++;
        }
        break;
    }
}

START_TEST(a_changed_meaning_changes_the_digest_and_another_spelling_does_not)
{
    struct buffer first = {0};
    struct buffer second = {0};
    for (int round = 0; round < 60000; round++) {
        struct arena trees = {0};
        struct node *body = random_body(&trees);
        struct print before = written(body, false, &first);
        ck_assert_msg(equal(before, written(body, true, &second)), "%.*s\n%.*s",
                      TEXT_ARG(buffer_text(&first)), TEXT_ARG(buffer_text(&second)));
        bool named;
        struct node *node = any_node(body, &named);
        if (named && chance(&dice, 8) == 0)
            (void)snprintf(node->name, sizeof(node->name), "renamed");
        else
            change(node, &trees);
        ck_assert_msg(!equal(before, written(body, true, &second)), "%.*s\n%.*s",
                      TEXT_ARG(buffer_text(&first)), TEXT_ARG(buffer_text(&second)));
        arena_close(&trees);
        arena_close(&arena);
    }
    buffer_close(&first);
    buffer_close(&second);
}
END_TEST

START_TEST(no_change_of_a_single_byte_shares)
{
    static const char raw[] =
        "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
        "\\u2019\\n\\\"\"},{"
        "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\\u2013\"}]}],"
        "\"temperature\":0,\"n\":12,\"stop\":[\"x\",null,1.50],\"logit_bias\":{\"7\":-3e1,\"8\":"
        "true},"
        "\"seed\":-7}";
    char copy[sizeof(raw)];
    struct body_error error;
    struct body body;
    struct print print = chat_print(text_of(raw), false);
    size_t taken = 0;

    for (size_t at = 0; at + 1 < sizeof(raw); at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(copy, raw, sizeof(raw));
            copy[at] = (char)byte;
            struct text changed = text_make(copy, sizeof(raw) - 1);
            if (copy[at] == raw[at] || !body_read(ENDPOINT_CHAT, changed, &arena, &body, &error))
                continue;
            struct fingerprint_ask ask = plain_ask(&body);
            ck_assert_msg(!equal(print, print_of(&ask)), "%.*s", TEXT_ARG(changed));
            taken++;
        }
        arena_close(&arena);
    }
    ck_assert_uint_gt(taken, 5000);
}
END_TEST

UNIT_MAIN(the_same_in_another_spelling_shares, whatever_else_differs_does_not_share,
          many_members_share_in_their_order, who_shares_and_where_calls_go_count,
          headers_count_in_any_order_and_case, another_key_gives_other_prints,
          one_input_is_told_from_a_request_and_from_another_input,
          normalized_folds_the_last_user_message,
          a_changed_meaning_changes_the_digest_and_another_spelling_does_not,
          no_change_of_a_single_byte_shares)
