/* The price catalog that comes with the program. */
#ifndef PURSER_CLI_PRICES_H
#define PURSER_CLI_PRICES_H

#include "base/text.h"

struct text prices_built_in(void); /* the bytes of config/prices.json at build time */

#endif
