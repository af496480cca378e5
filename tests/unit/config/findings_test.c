/* Findings: how they are counted and shown. */
#include "fixture.h"

START_TEST(prints_file_line_and_kind)
{
    struct findings findings = {0};
    struct buffer out = {0};
    findings_add(&findings, FINDING_ERROR, 12, "no %s", "luck");
    findings_add(&findings, FINDING_WARNING, 0, "well");
    ck_assert_uint_eq(findings.errors, 1);
    findings_print(&findings, TEXT("a.yaml"), &out);
    UNIT_TEXT(buffer_text(&out), "a.yaml:12: error: no luck\na.yaml: warning: well\n");
    buffer_clear(&out);
    findings_print(&findings, TEXT_NONE, &out);
    UNIT_TEXT(buffer_text(&out), "error: no luck\nwarning: well\n");
    buffer_close(&out);
    findings_close(&findings);
    ck_assert_uint_eq(findings.count, 0);
}
END_TEST

START_TEST(keeps_control_characters_away_from_the_terminal)
{
    struct findings findings = {0};
    findings_add(&findings, FINDING_ERROR, 1, "a\x1b[2Jb\nc\x7f");
    ck_assert_str_eq(findings.at[0].message, "a?[2Jb?c?");
    findings_close(&findings);
}
END_TEST

START_TEST(cuts_what_is_too_long)
{
    struct findings findings = {0};
    findings_add(&findings, FINDING_ERROR, 1, "%1000d", 1);
    ck_assert_uint_eq(strlen(findings.at[0].message), sizeof(findings.at[0].message) - 1);
    findings_close(&findings);
}
END_TEST

UNIT_MAIN(prints_file_line_and_kind, keeps_control_characters_away_from_the_terminal,
          cuts_what_is_too_long)
