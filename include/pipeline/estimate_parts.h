/*
 * What counting an input is made of: adding up texts, JSON and images, and the parts that dialects
 * share. For src/pipeline/estimate*.c only; what the others need is in pipeline/estimate.h.
 */
#ifndef PURSER_PIPELINE_ESTIMATE_PARTS_H
#define PURSER_PIPELINE_ESTIMATE_PARTS_H

#include "pipeline/estimate.h"

#define ESTIMATE_MESSAGE 3  /* tokens of a message beside its role and content */
#define ESTIMATE_ANSWER  3  /* that begin the answer */
#define ESTIMATE_CALLS   16 /* of a message with tool calls, or of a tool's answer */
/* Of a message in the templates of other models: "<|start_header_id|>user<|end_header_id|>\n\n",
 * "<|eot_id|>". */
#define ESTIMATE_FOREIGN_MESSAGE 16

enum how {
    HOW_EXACT,
    HOW_ESTIMATED, /* the bound has half as much again */
    HOW_TOOLS,     /* likewise, unless reported usage has confirmed it for the model */
    HOW_MARGIN,    /* the bound alone has it */
};

struct counting {
    const struct estimate_ask *ask;
    struct estimate *estimate;
    size_t left; /* bytes that may still be counted */
    bool tools;  /* there are some */
    bool others; /* what is neither text nor tools, or was not counted */
    struct arena arena;
};

void estimate_add(struct counting *counting, int64_t tokens, enum how how);
void estimate_add_text(struct counting *counting, struct text text, enum how how);
void estimate_add_string(struct counting *counting, struct json_value string, enum how how);
/* JSON as it stands, without its blanks. */
void estimate_add_json(struct counting *counting, struct json_value value, enum how how);
/* What stands in the request and is not counted. */
void estimate_leave_out(struct counting *counting, struct text what);

/* An image of a known size; of another one: its family's most. Both are leave_out'd where the
 * family is not known. */
void estimate_add_sized_image(struct counting *counting, int64_t width, int64_t height, bool low);
void estimate_add_unknown_image(struct counting *counting, int64_t images);

/* ---- OpenAI's dialects (estimate_chat.c) ---- */

void estimate_add_messages(struct counting *counting, struct json_value messages);
void estimate_add_tools(struct counting *counting, struct json_value tools);
void estimate_add_format(struct counting *counting, struct json_value format);
void estimate_add_prompts(struct counting *counting, struct json_value prompts);
void estimate_add_input(struct counting *counting, struct json_value input);
/* A text, or parts. */
void estimate_add_content(struct counting *counting, struct json_value content);

/* ---- Responses and Messages (estimate_items.c) ---- */

void estimate_add_items(struct counting *counting, struct json_value input);
void estimate_add_instructions(struct counting *counting, struct json_value instructions);
void estimate_add_turns(struct counting *counting, struct json_value turns);
void estimate_add_blocks(struct counting *counting, struct json_value blocks);
void estimate_add_definitions(struct counting *counting, struct json_value tools);

#endif
