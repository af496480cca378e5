# purser's build. `make help` says what there is; CONTRIBUTING.md says more.
# Everything lands below build/$(BUILD); a flavour never disturbs another.
BUILD   ?= release
OUT     ?= build/$(BUILD)
CC      ?= cc
VERSION := 0.1.0

LIBS    := libmicrohttpd libcurl sqlite3 yaml-0.1 libcrypto
WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread
FLAGS_cover   := -O0 -g --coverage

CFLAGS  += -std=gnu11 -pthread $(WARN) $(FLAGS_$(BUILD))
CPPFLAGS += -Iinclude -D_GNU_SOURCE -DPURSER_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
LDLIBS  := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm

MODULES := $(filter-out src/main.c,$(sort $(wildcard src/*/*.c)))
OBJECTS := $(MODULES:%.c=$(OUT)/%.o)
UNITS   := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/unit/*/*_test.c)))
FAKES   := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/fakes/*.c)))

.DEFAULT_GOAL := all
.SECONDARY:
.PHONY: all help run test unit tidy bench fuzz scenarios chaos clean packages test-packages tools format

all: $(OUT)/purser ## build build/release/purser (installs the packages it needs)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  BUILD=debug|release|asan|tsan|cover chooses a flavour (now: $(BUILD))"

run: all $(OUT)/tests/fakes/provider ## build and start purser; without OPENAI_API_KEY in front of a fake provider
	@OUT=$(OUT) tests/fakes/run

test: all tools ## install what tests need and run all of them
	@tests/run all

unit: ## unit tests under ASan and UBSan
	@tests/run unit

scenarios: all tools ## scenario tests against the fake provider
	@tests/run scenarios

chaos: all tools ## kill -9 loop, sleeping disk, drain
	@tests/run chaos

fuzz: ## fuzz every parser of outside bytes (SECONDS_EACH=60)
	@tests/run fuzz

bench: all tools ## measure against nginx in the same run, write tests/bench/RESULTS.md
	@python3 tests/bench/bench.py --write

tidy: all ## format, layers, headers, options, function length
	@tests/tidy/tidy

tools: $(OUT)/tests/fakes/provider $(OUT)/tests/bench/load

units: $(UNITS)

format: ## rewrite the sources in the house's format
	clang-format -i $(wildcard src/*.c src/*/*.c include/*/*.h tests/*/*.c tests/*/*.h tests/unit/*/*.c)

clean: ## remove build/
	rm -rf build

packages: ## install the packages a build needs (Debian, Ubuntu)
	@tests/packages build

$(OUT)/purser: $(OUT)/src/main.o $(OUT)/libpurser.a
	@echo "  ld $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/libpurser.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libpurser.a
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs check libcjson) $(LDLIBS)

$(OUT)/tests/fakes/provider: $(FAKES)
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lz

$(OUT)/tests/bench/load: $(OUT)/tests/bench/load.o
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
