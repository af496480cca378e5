# purser's build. `make help` says what there is; CONTRIBUTING.md says more.
# Everything lands below build/$(BUILD); a flavour never disturbs another.
BUILD   ?= release
OUT     ?= build/$(BUILD)
ifeq ($(BUILD),fuzz)
CC      := clang
endif
VERSION := 0.1.0

LIBS    := libmicrohttpd libcurl sqlite3 yaml-0.1 libcrypto zlib hiredis
# Where there are these, too, rediss:// is known; Debian 12's hiredis has no TLS.
TLS_LIBS := hiredis_ssl 'libssl >= 3'
# Packages come first: make begins anew once it has made this file.
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
include build/packages.mk
endif
WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror

FLAGS_release := -O3 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread
FLAGS_cover   := -O0 -g --coverage
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

CFLAGS  += -std=gnu11 -pthread $(WARN) $(FLAGS_$(BUILD))
CPPFLAGS += -Iinclude -D_GNU_SOURCE -DPURSER_VERSION='"$(VERSION)"' $(LIB_CFLAGS)
LDLIBS  := $(LIB_LIBS) -lm
# What is built by other flags is built again: $(OUT)/flags says by which.
ALL_FLAGS := $(strip $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS))

MODULES := $(filter-out src/main.c,$(sort $(wildcard src/*/*.c)))
OBJECTS := $(MODULES:%.c=$(OUT)/%.o)
UNITS   := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/unit/*/*_test.c)))
FUZZERS := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
SIM     := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/sim/*.c)))
TLS_OBJECTS = $(patsubst %.c,$(OUT)/tls/%.o,$(shell grep -lE 'hiredis/|HIREDIS_SSL' $(MODULES)))
FAKES   := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/fakes/*.c)))

ifneq ($(file <$(OUT)/flags),$(ALL_FLAGS))
.PHONY: $(OUT)/flags
endif

.DEFAULT_GOAL := all
.SECONDARY:
.PHONY: all help run test tls sim mutants unit units tidy lua-oracle tokens-oracle windows-oracle model tokens-bench bench fuzz fuzzers scenarios sdk promptfoo agents faults chaos clean packages tools format

all: $(OUT)/purser ## build build/release/purser (installs the packages it needs)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  BUILD=debug|release|asan|tsan|cover chooses a flavour (now: $(BUILD))"

run: all tools ## build and start purser; without OPENAI_API_KEY in front of a fake provider
	@tests/fakes/run $(OUT)

test: ## install what tests need and run all of them
	@tests/run all

tidy: ## format, layers, headers, options, function length
unit: ## unit tests under ASan and UBSan
scenarios: ## purser as a process in front of the fake provider
tls: ## Redis by TLS, with a hiredis that has it
sdk: ## OpenAI's and Anthropic's own SDKs and other clients through purser
promptfoo: ## promptfoo through purser (not in `make test`: 300 MB of packages)
agents: ## coding agents through purser (not in `make test`: 800 MB of packages)
faults: ## the n-th write, sync, malloc ... of purser fails, for every n
chaos: ## kill -9 by the thousand, lossy failovers, full disks, drain (KILL_ROUNDS=1000)
fuzz: ## every parser of outside bytes (SECONDS_EACH=60)
tidy unit scenarios tls sdk promptfoo agents faults chaos fuzz:
	@tests/run $@

sim: $(OUT)/tests/sim/simulator ## the budgets' simulator (SEEDS=1000; SEED=n TRACE=1 shows one)
	@tests/sim/run $<

mutants: ## wrong versions of the budgets, each of which the simulator must catch
	@tests/sim/mutate all

tokens-oracle: ## token ids against those of tiktoken: all that is compared, some minutes
	@tests/run tokens

lua-oracle: ## the Lua scripts in a real Redis against C: a million random operations of each
	@tests/run store

windows-oracle: ## calendar windows against Python's zoneinfo: all that is compared
	@tests/run windows

model: ## the budget protocol's model in SPIN, and its mutants (DEEP=1: larger, takes long)
	@tests/run model

tokens-bench: $(OUT)/tests/bench/tokens ## measure the tokeniser beside others, write tests/bench/TOKENS.md
	@TIMER=$< node tests/bench/tokens.mjs

bench: all tools $(OUT)/tests/bench/estimate $(OUT)/tests/bench/admission ## measure against nginx in the same run, write tests/bench/RESULTS.md
	@tests/packages test
	@python3 tests/bench/bench.py --write

tools: $(OUT)/tests/fakes/provider $(OUT)/tests/bench/load

units: $(UNITS)

fuzzers: $(FUZZERS)

format: ## rewrite the sources in the house's format
	clang-format -i $(wildcard src/*.c src/*/*.c include/*/*.h tests/*/*.c tests/*/*.h tests/unit/*/*.c)

clean: ## remove build/
	rm -rf build

packages: ## install the packages that build and tests need (Debian, Ubuntu)
	@tests/packages test

build/packages.mk: tests/packages Makefile
	@tests/packages build
	@mkdir -p $(@D)
	@libs="$(LIBS)" tls=; \
	if pkg-config --exists $(TLS_LIBS); then libs="$(TLS_LIBS) $$libs" tls=-DHAVE_HIREDIS_SSL; fi; \
	echo "LIB_CFLAGS := $$(pkg-config --cflags $$libs | sed 's/-I/-isystem /g') $$tls" >$@; \
	echo "LIB_LIBS := $$(pkg-config --libs $$libs)" >>$@

$(OUT)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(ALL_FLAGS))' >$@

$(OUT)/purser: $(OUT)/src/main.o $(OUT)/libpurser.a
	@echo "  ld $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# purser with the hiredis that tests/run puts into build/hiredis, which has TLS.
$(OUT)/tls/purser: $(OUT)/src/main.o $(TLS_OBJECTS) $(OUT)/libpurser.a build/hiredis/libhiredis.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(filter-out -lhiredis%,$(LDLIBS)) -lssl -lcrypto

$(OUT)/tls/%.o: %.c $(OUT)/flags build/hiredis/libhiredis.a
	@mkdir -p $(@D)
	@$(CC) -isystem build/hiredis/include -DHAVE_HIREDIS_SSL $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/libpurser.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libpurser.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs check libcjson) $(LDLIBS)

$(OUT)/tests/sim/simulator: $(SIM) $(OUT)/libpurser.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/libpurser.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$(OUT)/tests/fakes/provider: $(FAKES)
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lz

$(OUT)/tests/oracle/encode $(OUT)/tests/oracle/windows $(OUT)/tests/oracle/store $(OUT)/tests/oracle/rates $(OUT)/tests/bench/tokens $(OUT)/tests/bench/estimate $(OUT)/tests/bench/admission $(OUT)/tests/faults/budgets: %: %.o $(OUT)/libpurser.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/tests/bench/load: $(OUT)/tests/bench/load.o
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# These are embedded.
$(OUT)/src/cli/prices.o: config/prices.json
$(OUT)/src/budget/store_wire.o $(OUT)/tls/src/budget/store_wire.o: src/budget/store.lua
$(OUT)/src/budget/rates_wire.o $(OUT)/tls/src/budget/rates_wire.o: src/budget/rates.lua
$(OUT)/src/money/tokens_ranks.o: $(wildcard config/tokens/*)

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
