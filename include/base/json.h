/*
 * JSON in two ways.
 *
 * 1. A pull scanner over bytes, without allocation: it validates everything it passes (syntax of
 *    RFC 8259, UTF-8, nesting) and hands out the byte ranges of members and values. This is what
 *    reads request bodies: what purser has no reason to change is passed on byte for byte.
 * 2. Appending to a buffer, for what we write ourselves. Amounts of money never pass through it as
 *    doubles: they are put as decimal text.
