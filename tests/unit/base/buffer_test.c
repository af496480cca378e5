/* Growing runs of bytes. */
#include "../unit.h"

START_TEST(starts_empty_and_may_be_closed_unused)
{
    struct buffer buffer = {0};
    ck_assert_uint_eq(buffer_text(&buffer).size, 0);
    buffer_drop(&buffer, 3);
    buffer_put(&buffer, TEXT_NONE);
    buffer_close(&buffer);
    ck_assert_str_eq(buffer_string(&buffer), "");
    buffer_close(&buffer);
}
END_TEST

START_TEST(keeps_what_is_put_while_growing)
{
    struct buffer buffer = {0};
    for (int i = 0; i < 10000; i++)
        buffer_put_byte(&buffer, (char)('a' + i % 26));
    ck_assert_uint_eq(buffer.size, 10000);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(buffer.at[i], 'a' + i % 26);
    buffer_close(&buffer);
    ck_assert_ptr_null(buffer.at);
}
END_TEST

START_TEST(reserves_room_once)
{
    struct buffer buffer = {0};
    buffer_reserve(&buffer, 1000);
    const char *at = buffer.at;
    for (int i = 0; i < 1000; i++)
        buffer_put_byte(&buffer, 'x');
    ck_assert_ptr_eq(buffer.at, at);
    buffer_close(&buffer);
}
END_TEST

START_TEST(puts_integers)
{
    struct buffer buffer = {0};
    static const int64_t values[] = {0, -1, 10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < UNIT_COUNT(values); i++) {
        buffer_put_int(&buffer, values[i]);
        buffer_put_byte(&buffer, ' ');
    }
    ck_assert_str_eq(buffer_string(&buffer), "0 -1 10 9223372036854775807 -9223372036854775808 ");
    buffer_close(&buffer);
}
END_TEST

START_TEST(prints_around_the_edge_of_its_room)
{
    for (int size = 0; size < 300; size++) {
        struct buffer buffer = {0};
        buffer_put_byte(&buffer, '<');
        buffer_printf(&buffer, "%*s", size, "");
        buffer_printf(&buffer, "%c", '>');
        ck_assert_uint_eq(buffer.size, (size_t)size + 2);
        ck_assert_int_eq(buffer.at[size + 1], '>');
        ck_assert_uint_eq(strlen(buffer_string(&buffer)), buffer.size);
        buffer_close(&buffer);
    }
}
END_TEST

START_TEST(drops_from_the_front)
{
    struct buffer buffer = {0};
    buffer_put(&buffer, TEXT("abcdef"));
    buffer_drop(&buffer, 2);
    UNIT_TEXT(buffer_text(&buffer), "cdef");
    buffer_drop(&buffer, 9);
    UNIT_TEXT(buffer_text(&buffer), "");
    buffer_put(&buffer, TEXT("g"));
    UNIT_TEXT(buffer_text(&buffer), "g");
    size_t room = buffer.room;
    buffer_clear(&buffer);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_eq(buffer.room, room);
    buffer_close(&buffer);
}
END_TEST

UNIT_MAIN(starts_empty_and_may_be_closed_unused, keeps_what_is_put_while_growing,
          reserves_room_once, puts_integers, prints_around_the_edge_of_its_room,
          drops_from_the_front)
