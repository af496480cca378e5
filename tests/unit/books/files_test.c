/* The names of ledger files, and reading files line by line. */
#include "books/files.h"

#include <errno.h>

#include "books/lines.h"
#include "sample.h"

static const int64_t day = SAMPLE_US / SAMPLE_DAY_US;

START_TEST(names_are_made_and_read)
{
    struct ledger_file file = files_make(day, TEXT("web-1.example.org/../x"), 12);
    ck_assert_str_eq(file.name, "2026-11-21.web-1_example_org____x.0012.jsonl");
    struct ledger_file read;
    ck_assert(files_parse(text_of(file.name), &read));
    ck_assert_int_eq(read.day, day);
    ck_assert_int_eq(read.number, 12);
    ck_assert_int_eq(files_compare(&file, &read), 0);
    ck_assert(files_same_node(&file, &read));
}
END_TEST

START_TEST(a_node_may_have_any_name)
{
    ck_assert_str_eq(files_make(day, TEXT(""), 1).name, "2026-11-21.node.0001.jsonl");
    char node[300];
    memset(node, 'n', sizeof(node));
    struct ledger_file longest = files_make(day, text_make(node, sizeof(node)), 123456789);
    struct ledger_file read;
    ck_assert(files_parse(text_of(longest.name), &read));
    ck_assert_uint_eq(strlen(longest.name), 10 + 1 + FILES_NODE_MOST + 1 + 9 + 6);
}
END_TEST

START_TEST(other_names_are_none_of_ours)
{
    static const char *const others[] = {
        "",
        ".jsonl",
        "journal.lock",
        "books.db",
        "2026-11-21.jsonl",
        "2026-11-21.n1.jsonl",
        "2026-11-21..0001.jsonl",
        "2026-13-21.n1.0001.jsonl",
        "2026-11-21.n1.x.jsonl",
        "2026-11-21.n1.-001.jsonl",
        "2026-11-21.n1.0001.jsonl.torn",
        "2026-11-21.n1.0001.jsonl.gz",
        "2026-11-21.n1.1234567890.jsonl",
        "2026-11-21Tn1.0001.jsonl",
    };
    struct ledger_file file;
    for (size_t i = 0; i < UNIT_COUNT(others); i++)
        ck_assert_msg(!files_parse(text_of(others[i]), &file), "%s", others[i]);
}
END_TEST

START_TEST(day_and_number_order_them_whoever_wrote)
{
    struct ledger_file a = files_make(day, TEXT("z"), 2);
    struct ledger_file b = files_make(day, TEXT("a"), 10);
    struct ledger_file c = files_make(day + 1, TEXT("a"), 1);
    ck_assert_int_lt(files_compare(&a, &b), 0);
    ck_assert_int_lt(files_compare(&b, &c), 0);
    ck_assert_int_gt(files_compare(&c, &a), 0);
    ck_assert(!files_same_node(&a, &b));
    ck_assert(files_same_node(&b, &c));
}
END_TEST

START_TEST(lists_a_directory_in_order)
{
    struct sample_dir dir = sample_dir_make();
    for (int number = 20; number > 0; number--)
        sample_write(&dir, files_make(day, TEXT("n"), number).name, TEXT(""));
    sample_write(&dir, files_make(day - 1, TEXT("n"), 99).name, TEXT(""));
    sample_write(&dir, "journal.lock", TEXT(""));
    int fd = open(dir.path, O_RDONLY | O_DIRECTORY);
    struct ledger_files files;
    for (int twice = 0; twice < 2; twice++) {
        ck_assert(files_list(fd, &files, NULL));
        ck_assert_uint_eq(files.count, 21);
        ck_assert_int_eq(files.at[0].number, 99);
        for (int i = 1; i <= 20; i++)
            ck_assert_int_eq(files.at[i].number, i);
        files_free(&files);
    }
    close(fd);
    struct fault fault;
    ck_assert(!files_list(-1, &files, &fault));
    sample_dir_remove(&dir);
}
END_TEST

/* ---- lines ---- */

START_TEST(reads_whole_lines_of_any_length)
{
    struct sample_dir dir = sample_dir_make();
    struct buffer content = {0};
    buffer_put(&content, TEXT("first\n\n"));
    for (int i = 0; i < 3000000; i++)
        buffer_put_byte(&content, 'x');
    buffer_put(&content, TEXT("\nlast\nno end"));
    sample_write(&dir, "file", buffer_text(&content));
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/file", dir.path);
    struct lines lines = {.fd = open(path, O_RDONLY)};
    struct text line;
    ck_assert_int_eq(lines_next(&lines, &line), LINES_LINE);
    UNIT_TEXT(line, "first");
    ck_assert_int_eq(lines_next(&lines, &line), LINES_LINE);
    UNIT_TEXT(line, "");
    ck_assert_int_eq(lines_next(&lines, &line), LINES_LINE);
    ck_assert_uint_eq(line.size, 3000000);
    int64_t place = lines.offset;
    ck_assert_int_eq(lines_next(&lines, &line), LINES_LINE);
    UNIT_TEXT(line, "last");
    ck_assert_int_eq(lines_next(&lines, &line), LINES_END);
    ck_assert_int_eq(lines.offset, (int64_t)content.size - 6);
    lines_close(&lines);

    struct lines later = {.fd = lines.fd, .offset = place};
    ck_assert_int_eq(lines_next(&later, &line), LINES_LINE);
    UNIT_TEXT(line, "last");
    lines_close(&later);
    close(lines.fd);
    buffer_close(&content);
    sample_dir_remove(&dir);
}
END_TEST

START_TEST(finds_lines_that_are_written_while_it_reads)
{
    int ends[2];
    struct sample_dir dir = sample_dir_make();
    sample_write(&dir, "file", TEXT("half"));
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/file", dir.path);
    ends[0] = open(path, O_RDONLY);
    ends[1] = open(path, O_WRONLY | O_APPEND);
    struct lines lines = {.fd = ends[0]};
    struct text line;
    ck_assert_int_eq(lines_next(&lines, &line), LINES_END);
    ck_assert_int_eq(write(ends[1], " a line\n", 8), 8);
    ck_assert_int_eq(lines_next(&lines, &line), LINES_LINE);
    UNIT_TEXT(line, "half a line");
    ck_assert_int_eq(lines_next(&lines, &line), LINES_END);
    lines_close(&lines);
    close(ends[0]);
    close(ends[1]);
    sample_dir_remove(&dir);
}
END_TEST

START_TEST(says_when_a_file_cannot_be_read)
{
    struct lines lines = {.fd = -1};
    struct text line;
    ck_assert_int_eq(lines_next(&lines, &line), LINES_FAILED);
    ck_assert_int_eq(errno, EBADF);
    lines_close(&lines);
}
END_TEST

UNIT_MAIN(names_are_made_and_read, a_node_may_have_any_name, other_names_are_none_of_ours,
          day_and_number_order_them_whoever_wrote, lists_a_directory_in_order,
          reads_whole_lines_of_any_length, finds_lines_that_are_written_while_it_reads,
          says_when_a_file_cannot_be_read)
