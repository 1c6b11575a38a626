# replica – one flat Makefile, by wildcard.  `make help` says what there is to make.

VERSION := 0.1.0

# Floors from the ground up: the unit tests of a lower room run first.
ROOMS := base flow env codec net s3 pg store transform commands
FUZZ_SECONDS ?= 60
SIZE_MAX := 4194304

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- what for -----------------------------------------------------------------------------------

# `make ARCH=aarch64` crosses; its output goes to build/aarch64.
HOST := $(shell uname -m)
ARCH ?= $(HOST)
ifeq ($(ARCH),$(HOST))
OUT := build
STATIC := build/static
TOOLS :=
else
OUT := build/$(ARCH)
STATIC := build/static-$(ARCH)
TRIPLE := $(ARCH)-linux-gnu
TOOLS := $(TRIPLE)-
endif
NATIVE := build/native

# ---- sources ------------------------------------------------------------------------------------

SOURCES := $(wildcard src/*.c src/*/*.c)
LIBRARY_SOURCES := $(filter-out src/main.c,$(SOURCES))
UNIT_SUPPORT := $(wildcard tests/unit/support*.c)
UNIT_NAMES := $(basename $(notdir $(filter-out $(UNIT_SUPPORT),$(wildcard tests/unit/*.c))))
FUZZ_NAMES := $(filter-out replay_main,$(basename $(notdir $(wildcard tests/fuzz/*.c))))

# The floor of a unit test is its name up to the first "_"; what is not named after a room comes after transform.
unit_of_room = $(filter $(1)_%,$(UNIT_NAMES))
UNIT_OTHER := $(filter-out $(foreach room,$(ROOMS),$(call unit_of_room,$(room))),$(UNIT_NAMES))
FLOORS := $(filter-out commands,$(ROOMS)) other commands
unit_of_floor = $(if $(filter other,$(1)),$(UNIT_OTHER),$(call unit_of_room,$(1)))

# ---- flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
    -Wpointer-arith -Wformat-security
LANGUAGE := -std=gnu11 -D_GNU_SOURCE -DREPLICA_VERSION='"$(VERSION)"'
LIBRARIES := -lpgfeutils -lpq -lpgcommon -lpgport -lzstd -lbearssl
includes = -Isrc -isystem $(1)/include -isystem $(1)/include/postgresql/internal -isystem $(1)/include/postgresql/server

# The authorities that are believed where the user names no others; src/net/trust_bundle.c embeds them.
CA_BUNDLE ?= /etc/ssl/certs/ca-certificates.crt
LANGUAGE += -DTRUST_BUNDLE='"$(CA_BUNDLE)"'

# Tests write argv and environ as lists of literals, so -Wwrite-strings guards src/ alone.
# No pie: a static-pie carries a dynamic section, and replica promises to have none.
STATIC_CC := $(STATIC)/bin/musl-gcc
STATIC_CFLAGS := $(LANGUAGE) $(WARNINGS) -Wwrite-strings -O2 -g -fno-pie -fstack-protector-strong -ffunction-sections -fdata-sections \
    -ffile-prefix-map=$(CURDIR)/= $(call includes,$(STATIC))
STATIC_LDFLAGS := -static -no-pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack -L$(STATIC)/lib

NATIVE_CFLAGS := $(LANGUAGE) $(WARNINGS) -g -fno-omit-frame-pointer $(call includes,$(NATIVE)) -Itests/unit
# A group, since libpq wants functions of ours (src/pg/tls_backend.c), which want libpq; the objects open it.
NATIVE_LIBRARIES := -L$(NATIVE)/lib $(LIBRARIES) -Wl,--end-group -lm -pthread

asan_CFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
tsan_CFLAGS := -O1 -fsanitize=thread
cover_CFLAGS := -O0 --coverage
fuzz_CFLAGS := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
asan_CC := gcc
tsan_CC := gcc
cover_CC := gcc
fuzz_CC := clang

# The thread sanitizer of older compilers can't live with the address layout of newer kernels.
tsan_RUN := $(shell setarch --addr-no-randomize true 2>/dev/null && echo setarch --addr-no-randomize)
export ASAN_OPTIONS := detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS := print_stacktrace=1
export TSAN_OPTIONS := halt_on_error=1:second_deadlock_stack=1

# ---- the program --------------------------------------------------------------------------------

.PHONY: all
all: $(OUT)/replica ## build/replica: static, stripped, proven to be so

OBJECTS := $(SOURCES:src/%.c=$(OUT)/obj/%.o)

# The recipe knows itself which libraries are stale.
$(STATIC)/vendor.done: vendor/lock $(wildcard vendor/*.sh)
	@vendor/recipe.sh static $(STATIC) $(TRIPLE)
	@touch $@

$(NATIVE)/vendor.done: vendor/lock $(wildcard vendor/*.sh)
	@vendor/recipe.sh native $(NATIVE)
	@touch $@

$(OUT)/obj/%.o: src/%.c Makefile $(STATIC)/vendor.done
	@mkdir -p $(@D)
	@echo "cc       $<"
	@$(STATIC_CC) $(STATIC_CFLAGS) -MMD -MP -c -o $@ $<

# pg_dump connects by a function of ours (src/pg/pg_dump_sections.c).
$(OUT)/obj/pg_dump.o: $(STATIC)/vendor.done Makefile
	@mkdir -p $(@D)
	@$(TOOLS)objcopy --redefine-sym PQconnectdbParams=pg_dump_connect $(STATIC)/lib/pg_dump.o $@

$(OUT)/replica.debug: $(OBJECTS) $(OUT)/obj/pg_dump.o
	@echo "link     $@"
	@$(STATIC_CC) $(STATIC_LDFLAGS) -o $@ $(OBJECTS) $(OUT)/obj/pg_dump.o $(LIBRARIES)

$(OUT)/replica: $(OUT)/replica.debug
	@$(TOOLS)objcopy --strip-all --remove-section=.comment $< $@
	@if readelf --wide --program-headers --dynamic $@ | grep -E 'INTERP|DYNAMIC|NEEDED'; then \
	    echo "$@ is not static: it must have no interpreter and no dynamic section"; exit 1; fi
	@size=$$(stat -c %s $@); if [ $$size -gt $(SIZE_MAX) ]; then \
	    echo "$@ has $$size bytes; at most $(SIZE_MAX) are allowed"; exit 1; fi; \
	    echo "proven   $@ is static, $$size bytes"

.PHONY: arm64
arm64: ## build/aarch64/replica, crossed; the same as make ARCH=aarch64
	@$(MAKE) --no-print-directory ARCH=aarch64

.PHONY: image
image: $(OUT)/replica ## an OCI archive with the one file, made without any daemon; ARCH=aarch64 for the other machine
	@container/image.sh $(OUT)/replica $(ARCH) $(VERSION) build/replica-$(VERSION)-$(ARCH).oci.tar

# ---- native builds: the same source under a sanitizer -------------------------------------------

# build/KIND/libreplica.a, build/KIND/unit/NAME, build/KIND/fuzz/NAME for each KIND.
define native_build
build/$(1)/obj/%.o: src/%.c Makefile $(NATIVE)/vendor.done
	@mkdir -p $$(@D)
	@echo "$(1)     $$<"
	@$$($(1)_CC) $(NATIVE_CFLAGS) $$($(1)_CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/obj/tests/%.o: tests/%.c Makefile $(NATIVE)/vendor.done
	@mkdir -p $$(@D)
	@echo "$(1)     $$<"
	@$$($(1)_CC) $(NATIVE_CFLAGS) $$($(1)_CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/libreplica.a: $(LIBRARY_SOURCES:src/%.c=build/$(1)/obj/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^

build/$(1)/unit/%: build/$(1)/obj/tests/unit/%.o $(UNIT_SUPPORT:%.c=build/$(1)/obj/%.o) build/$(1)/libreplica.a
	@mkdir -p $$(@D)
	@$$($(1)_CC) $$($(1)_CFLAGS) -o $$@ -Wl,--start-group $$^ $(NATIVE_LIBRARIES) -lcmocka

build/$(1)/obj/tests/live/pg_dump_elsewhere.o: $(1)_CFLAGS += -DSTATIC_REPLICA='"$(CURDIR)/$(OUT)/replica"'

build/$(1)/replica: build/$(1)/obj/main.o build/$(1)/obj/tests/live/pg_dump_elsewhere.o build/$(1)/libreplica.a
	@$$($(1)_CC) $$($(1)_CFLAGS) -o $$@ -Wl,--start-group $$^ $(NATIVE_LIBRARIES)

build/$(1)/fuzz/%: build/$(1)/obj/tests/fuzz/%.o $(if $(filter fuzz,$(1)),,build/$(1)/obj/tests/fuzz/replay_main.o) \
        build/$(1)/libreplica.a
	@mkdir -p $$(@D)
	@$$($(1)_CC) $$($(1)_CFLAGS) $(if $(filter fuzz,$(1)),-fsanitize=fuzzer) -o $$@ -Wl,--start-group $$^ $(NATIVE_LIBRARIES)
endef
$(foreach kind,asan tsan cover fuzz,$(eval $(call native_build,$(kind))))

unit_programs = $(UNIT_NAMES:%=build/$(1)/unit/%)
fuzz_programs = $(FUZZ_NAMES:%=build/$(1)/fuzz/%)

# run_unit KIND NAME: one line for one program; its numbers go to build/counts, for the closing line of `make test`.
define run_unit
run_unit() { \
    log=build/$$1/unit/$$2.log; \
    if $($(1)_RUN) timeout 600 build/$$1/unit/$$2 >$$log 2>&1; then status=0; else status=$$?; fi; \
    read -r passed failed < <(awk '/\[  PASSED  \]/ { p += $$4 } /\[  FAILED  \].*listed below/ { f += $$4 } \
        END { print p + 0, f + 0 }' $$log); \
    if [ $$status != 0 ] && [ $$failed = 0 ]; then failed=1; fi; \
    printf '%-6s %-32s %4d passed%s\n' $$1 $$2 $$passed "$$([ $$failed = 0 ] || echo ", $$failed failed")"; \
    echo "$$passed $$failed 0" >>build/counts; \
    if [ $$status != 0 ]; then tail -n 40 $$log; echo "exit status $$status; the whole log is $$log"; return 1; fi; \
}
endef

# All programs of a floor run; the first floor with a failure is the last one.
define run_floors
@$(call run_unit,$(1)); \
$(foreach floor,$(FLOORS),$(if $(call unit_of_floor,$(floor)),\
    bad=0; for name in $(sort $(call unit_of_floor,$(floor))); do run_unit $(1) $$name || bad=1; done; \
    if [ $$bad = 1 ]; then echo "the floor '$(floor)' fails under $(1): nothing above it is run"; exit 1; fi;)) true
endef

# ---- tests --------------------------------------------------------------------------------------

.PHONY: test-programs
test-programs: $(call unit_programs,asan) $(call unit_programs,tsan) $(call fuzz_programs,asan) build/asan/replica build/tsan/replica

.PHONY: unit
unit: $(call unit_programs,asan) $(call unit_programs,tsan) ## unit tests under the address, undefined and thread sanitizers
	$(call run_floors,asan)
	$(call run_floors,tsan)

.PHONY: fuzz-replay
fuzz-replay: $(call fuzz_programs,asan) ## every known input of every fuzz target, under the address sanitizer
	@bad=0; for name in $(FUZZ_NAMES); do \
	    if build/asan/fuzz/$$name tests/fuzz/corpus/$$name; \
	    then echo "1 0 0" >>build/counts; else echo "0 1 0" >>build/counts; bad=1; fi; \
	done; exit $$bad

.PHONY: fuzz
fuzz: ## new inputs for every fuzz target, FUZZ_SECONDS=60 each; needs clang
	@command -v clang >/dev/null || { echo "make fuzz needs clang: apt-get install clang libclang-rt-14-dev (or of its version)"; exit 1; }
	@$(MAKE) --no-print-directory $(call fuzz_programs,fuzz)
	@for name in $(FUZZ_NAMES); do mkdir -p build/fuzz/corpus/$$name build/fuzz/found; \
	    build/fuzz/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	        -artifact_prefix=build/fuzz/found/$$name- build/fuzz/corpus/$$name tests/fuzz/corpus/$$name; done

.PHONY: lint
lint: ## the house rules that a machine can check
	@bash tests/lint.sh

# pytest is Debian's, so that nothing else has to be installed.
define run_pytest
@mkdir -p build; status=0; \
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider $(1) 2>&1 | tee build/pytest.log || status=$$?; \
awk '/ in [0-9.]+s/ { for (i = 1; i < NF; i++) { if ($$(i+1) ~ /^passed/) p = $$i; if ($$(i+1) ~ /^(failed|error)/) f += $$i; \
    if ($$(i+1) ~ /^skipped/) s = $$i } } END { print p + 0, f + 0, s + 0 }' build/pytest.log >>build/counts; exit $$status
endef

# Where a cross compiler is at hand the tests run what it makes, too.
CROSS := $(if $(filter-out aarch64,$(HOST)),$(if $(shell command -v aarch64-linux-gnu-gcc),arm64))

.PHONY: live
live: $(OUT)/replica build/asan/replica build/tsan/replica $(CROSS) ## the static binary against real servers: one file per promise
	$(call run_pytest,tests/live)

.PHONY: live-bridge
live-bridge: $(OUT)/replica ## the main job's live tests again, with S3 over TLS as the store and PostgreSQL over TLS
	$(call run_pytest,tests/live --bridge)

.PHONY: test-long
test-long: $(OUT)/replica $(CROSS) ## live tests with the long campaigns, then the main job across the bridge with them
	$(call run_pytest,tests/live --long)
	$(call run_pytest,tests/live --bridge --long)

.PHONY: test
test: $(OUT)/replica test-programs ## everything that CI runs
	@rm -f build/counts; bad=; \
	for stage in lint docs-check unit fuzz-replay live; do \
	    echo; echo "== $$stage"; \
	    if $(MAKE) --no-print-directory $$stage; then \
	        case $$stage in lint | docs-check) echo "1 0 0" >>build/counts ;; esac; \
	    else \
	        bad="$$bad $$stage"; \
	        case $$stage in lint | docs-check) echo "0 1 0" >>build/counts ;; esac; \
	    fi; \
	done; \
	echo; [ -z "$$bad" ] || echo "failed:$$bad"; \
	awk '{ p += $$1; f += $$2; s += $$3 } END { print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped" }' build/counts; \
	[ -z "$$bad" ]

.PHONY: cover
cover: $(call unit_programs,cover) ## how much of each file the unit tests reach
	@find build/cover -name '*.gcda' -delete
	$(call run_floors,cover)
	@find build/cover/obj -name '*.gcda' ! -path '*/tests/*' | xargs -r gcov -n 2>/dev/null | \
	    awk -F"'" '/^File/ { file = $$2 } /^Lines executed/ && file ~ /^src\/.*\.c$$/ { sub(/Lines executed:/, ""); print $$0 "  " file; file = "" }' | \
	    sort -n

# ---- the rest -----------------------------------------------------------------------------------

.PHONY: bench
bench: $(OUT)/replica ## replica beside its peers, in turn: BENCH_ONLY, BENCH_ROUNDS, BENCH_SCALE, BENCH_BEFORE (docs/benchmarks.md)
	@[ "$$BENCH_PEERS" = no ] || bash bench/peers.sh
	@python3 -B bench/run.py

.PHONY: bench-1tb
bench-1tb: $(OUT)/replica ## 1 TB through 512 MB on one CPU; BENCH_TB_GB=1000
	@python3 -B bench/one_terabyte.py

.PHONY: bench-docs
bench-docs: ## the figures that make bench has left, and their plots, into docs/
	@python3 -B bench/report.py publish

.PHONY: docs
docs: $(OUT)/replica ## docs/configuration.md, from the table of variables
	@mkdir -p docs
	@$(OUT)/replica env --markdown >build/configuration.md
	@cp build/configuration.md docs/configuration.md

.PHONY: docs-check
docs-check: $(OUT)/replica ## fails when docs/configuration.md is stale
	@$(OUT)/replica env --markdown >build/configuration.md
	@diff -u docs/configuration.md build/configuration.md || { echo "docs/configuration.md is stale: run make docs"; exit 1; }

.PHONY: clean
clean: ## removes what was built, but not the vendor libraries
	@rm -rf build/obj build/asan build/tsan build/cover build/fuzz build/replica build/replica.debug build/aarch64 build/*.oci.tar build/counts build/*.log

.PHONY: distclean
distclean: ## removes all of build/; the tarballs in vendor/cache stay
	@rm -rf build

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

-include $(OBJECTS:.o=.d) $(shell find build/asan build/tsan build/cover build/fuzz -name '*.d' 2>/dev/null)
