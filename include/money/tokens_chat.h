/*
 * The input tokens of a chat request, the body of POST /v1/chat/completions, as OpenAI bills them:
 *
 *     3, and for each message 3 + role + content (text parts added up), + name + 1 if it has one;
 *     a message with tool calls: its JSON + 16;
 *     tools: their JSON + 16 for each + 8 for each property of their schemas + 32;
 *     a JSON schema for the answer: its JSON + 64.
 *
 * JSON is counted without blanks between its members. The sum over messages is exact: it is what
 * the provider reports. How tools and schemas are written for the model is not public: what stands
 * here for them is an estimate.
 */
#ifndef PURSER_MONEY_TOKENS_CHAT_H
#define PURSER_MONEY_TOKENS_CHAT_H

#include "base/json.h"
#include "money/tokens.h"

/* Of a request that json_parse accepted. False if it is no chat request, or has what is not text
 * (images, audio, files): the fault names the place; *tokens is untouched. */
MUST_USE bool tokens_chat(enum tokens_encoding encoding, struct json_value request, size_t *tokens,
                          struct fault *fault);

#endif
