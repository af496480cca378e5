/*
 * Fuzzing the readers of ledger lines: any bytes are refused, or make an entry that is written and
 * read back unchanged, and balances whose text says the same again.
 */
#include "books/balances.h"
#include "books/chain.h"
#include "fuzz.h"

static void put_line(struct buffer *out, const struct entry *entry)
{
    buffer_clear(out);
    entry_put(out, entry, TEXT("n"));
    buffer_put_byte(out, '}');
}

static void check_entry(struct text line)
{
    struct arena arena = {0};
    struct buffer once = {0};
    struct buffer twice = {0};
    struct entry_copy copy = {0};
    struct entry entry;
    if (entry_read(line, &arena, &entry, NULL)) {
        put_line(&once, &entry);
        bool read = entry_read(buffer_text(&once), &arena, &entry, NULL);
        ASSERT(read);
        entry_copy_take(&copy, &entry);
        put_line(&twice, &copy.entry);
        ASSERT(text_equal(buffer_text(&once), buffer_text(&twice)));
    }
    entry_copy_close(&copy);
    buffer_close(&once);
    buffer_close(&twice);
    arena_close(&arena);
}

/* What was forfeited under a name is refunded, once; without a name, never. */
static void check_refund(struct balances *balances, const struct entry *forfeit)
{
    struct entry refund = *forfeit;
    refund.kind = ENTRY_REFUND;
    bool named = forfeit->call.size > 0 || forfeit->request_id.size > 0;
    bool refunded = balances_apply(balances, &refund);
    ASSERT(refunded == named);
    refunded = balances_apply(balances, &refund);
    ASSERT(!refunded);
}

/* Whatever it is, it is folded, but for a second hold of one call and a refund of what nobody
   forfeited; and an extension of an open hold is what the hold then is. */
static void check_fold(struct text line)
{
    struct arena arena = {0};
    struct entry entry;
    struct balances *balances = balances_open();
    if (entry_read(line, &arena, &entry, NULL)) {
        struct entry reserve = {.kind = ENTRY_RESERVE, .call = entry.call};
        bool opened = balances_apply(balances, &reserve);
        bool fits = balances_apply(balances, &entry);
        ASSERT(opened);
        ASSERT(fits == (entry.kind != ENTRY_RESERVE && entry.kind != ENTRY_REFUND));
        const struct entry *hold = NULL;
        size_t at = 0;
        bool open = balances_next_hold(balances, &at, &hold);
        ASSERT(open == (entry.kind != ENTRY_SETTLE && entry.kind != ENTRY_FORFEIT));
        if (entry.kind == ENTRY_EXTEND) {
            ASSERT(hold->hold.nano == entry.hold.nano);
            ASSERT(hold->charge_count == entry.charge_count);
        }
        if (entry.kind == ENTRY_FORFEIT)
            check_refund(balances, &entry);
    }
    balances_close(balances);
    arena_close(&arena);
}

static size_t count_accounts(const struct balances *balances)
{
    struct charge charge;
    size_t at = 0;
    size_t count = 0;
    while (balances_next(balances, &at, &charge))
        count++;
    return count;
}

static void check_balances(struct text line)
{
    struct json_value value;
    struct balances *balances = balances_open();
    if (json_parse(line, &value, NULL) == JSON_OK && balances_read(balances, value, NULL)) {
        size_t holds = balances_open_holds(balances);
        size_t accounts = count_accounts(balances);
        struct buffer out = {0};
        buffer_put_byte(&out, '{');
        balances_put(&out, balances);
        buffer_put_byte(&out, '}');
        enum json_error error = json_parse(buffer_text(&out), &value, NULL);
        ASSERT(error == JSON_OK);
        bool read = balances_read(balances, value, NULL);
        ASSERT(read);
        ASSERT(balances_open_holds(balances) == holds);
        ASSERT(count_accounts(balances) == accounts);
        buffer_close(&out);
    }
    balances_close(balances);
}

static void check_place(struct text line)
{
    struct chain_place place;
    enum entry_kind kind;
    if (chain_read_place(line, &place))
        ASSERT(strlen(place.hash) == HASH_HEX_SIZE - 1);
    if (entry_peek_kind(line, &kind))
        ASSERT(entry_kind_name(kind) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text line = text_make((const char *)bytes, size);
    check_entry(line);
    check_fold(line);
    check_balances(line);
    check_place(line);
    return 0;
}
