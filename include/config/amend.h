/*
 * Entries of a configuration that do not stand in its file: keys and budgets that were made at run
 * time, and other limits for a budget. They are put into the document before it is read, so that
 * they are loaded, checked and complained about as if they stood there, but for three things:
 *
 *  - an entry of the file wins over one of the same name, which is then passed over;
 *  - ${NAME} is refused in them: who may make a key need not see the environment;
 *  - a finding about one names it ('the run-time key "bob"') instead of a line, and that a budget
 *    matches nobody is a warning: keys come and go.
 */
#ifndef PURSER_CONFIG_AMEND_H
#define PURSER_CONFIG_AMEND_H

#include "config/config.h"

struct reader;

/* Puts them into the reader's document, which is what was parsed and no more. */
void amend_document(struct reader *reader, const struct config_amendments *amendments);

/* The run-time entry `at` of the list `list` ("keys", "budgets"); TEXT_NONE if it is the file's. */
struct text amend_name(const struct reader *reader, struct text list, size_t at);

/* Replaces "keys[3]" in a finding by the name of the run-time entry that is meant. */
void amend_message(const struct reader *reader, struct buffer *message);

#endif
