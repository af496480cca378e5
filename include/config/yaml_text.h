/*
 * Writing YAML: plain values where they are safe, quoted ones elsewhere.
 */
#ifndef PURSER_CONFIG_YAML_TEXT_H
#define PURSER_CONFIG_YAML_TEXT_H

#include "base/text.h"

/* The value as it may stand anywhere, within [..] and {..} too, and be read back as it was. */
void yaml_put_text(struct buffer *out, struct text value);

#endif
