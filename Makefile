# make            compile into build/
# make demo       the main job on this machine: build an image, download it, run it
# make demo-stop  end what demo started
# make check      all tests (installs what they need, packages included)
# make check-long what takes minutes: another platform, emulated; the registry in all its states
# make check-unit the unit tests and fuzz corpora alone
# make check-asan the same with the address and undefined behaviour sanitizers
# make check-spack the image build with a real Spack: SPACK_TREE=FOLDER, a checkout
# make bench      speed, size and memory beside apptainer's; POST to FINISHED; polls
# make fuzz       one fuzz target for a while: TARGET=tar SECONDS=60
# make lint       what compilers and checkers have to say
# make install    into $(DESTDIR)$(PREFIX)
# make clean      remove build/; run/ belongs to the demo: make demo-clean

PREFIX ?= /usr/local
BUILD ?= build
CC = gcc
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wvla
CFLAGS ?= -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
override CFLAGS += -std=c11 -D_GNU_SOURCE -iquote lib -iquote worker -MMD -MP -pthread $(WARN) $(EXTRA)
LDFLAGS ?= -Wl,-z,relro,-z,now
override LDFLAGS += -pthread $(EXTRA)
LIBS = -lfcgi -lcurl -lcjson -luuid -llmdb -lyaml -lcrypto -lsquashfs -larchive \
	-ldeflate -lm

LIB = $(BUILD)/libcic.a
LIB_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*.c))
FCGI_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard fcgi/*.c))
# worker/ holds two programs; what both need stands in the second list, too
WORKER_ALONE = $(patsubst %,$(BUILD)/worker/%.o,worker_main run end cancel share refresh)
BUILD_OBJ = $(filter-out $(WORKER_ALONE),$(patsubst %.c,$(BUILD)/%.o,$(wildcard worker/*.c)))
WORKER_OBJ = $(WORKER_ALONE) $(patsubst %,$(BUILD)/worker/%.o,sweep cgroup job journal \
	progress buildlog loglines publish tools)
PROGRAMS = $(BUILD)/cic.fcgi $(BUILD)/cic-worker $(BUILD)/cic-build
UNIT = $(patsubst t/unit/%.c,$(BUILD)/t/%,$(wildcard t/unit/test_*.c))
FUZZ = $(patsubst t/fuzz/%.c,$(BUILD)/t/%,$(wildcard t/fuzz/fuzz_*.c))

all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/cic.fcgi: $(FCGI_OBJ) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/cic-worker: $(WORKER_OBJ) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/cic-build: $(BUILD_OBJ) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/t/echo: $(BUILD)/t/bench/echo.o
	$(CC) $(LDFLAGS) -o $@ $^ -lfcgi

# a unit test may reach into worker/ as well, and one into fcgi/
$(BUILD)/t/test_park: $(BUILD)/fcgi/park.o
$(BUILD)/t/test_%: $(BUILD)/t/unit/test_%.o $(BUILD)/libworker.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/t/fuzz_%: $(BUILD)/t/fuzz/fuzz_%.o $(BUILD)/t/fuzz/replay.o \
    $(BUILD)/libworker.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/libworker.a: $(filter-out %_main.o,$(BUILD_OBJ) $(WORKER_OBJ))
	@rm -f $@
	$(AR) rcs $@ $(sort $^)

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/t/*/*.d)

demo:
	conf/demo/demo.sh start
demo-stop:
	conf/demo/demo.sh stop
demo-clean:
	conf/demo/demo.sh clean

check:
	conf/setup/packages.sh build demo check
	$(MAKE) check-built
check-built: all units
	t/run-tests.sh
units: $(UNIT) $(FUZZ)
check-long: all
	conf/setup/packages.sh build demo check
	t/run-tests.sh long
check-unit: units
	t/run-tests.sh unit
check-asan:
	$(MAKE) BUILD=build-asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
	    EXTRA='-fsanitize=address,undefined -fno-sanitize-recover=undefined' \
	    check-unit

check-spack: all
	conf/setup/packages.sh build demo check
	t/check-spack.sh "$(SPACK_TREE)"

# make fuzz TARGET=tar SECONDS=900: look for inputs that break a parser (clang)
TARGET ?= tar
SECONDS ?= 60
FUZZ_FOUND = build-fuzz/$(TARGET)
fuzz:
	@mkdir -p $(FUZZ_FOUND)
	clang -g -O1 -std=c11 -D_GNU_SOURCE -iquote lib -iquote worker \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	    -o build-fuzz/fuzz_$(TARGET) t/fuzz/fuzz_$(TARGET).c lib/*.c \
	    $(filter-out worker/%_main.c,$(wildcard worker/*.c)) -pthread $(LIBS)
	build-fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -timeout=25 \
	    -rss_limit_mb=4096 -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ_FOUND)/found- $(FUZZ_FOUND) t/fuzz/corpus/$(TARGET)

# side by side with apptainer; needs root and what check installs
bench: all $(BUILD)/t/echo
	conf/setup/packages.sh build demo check
	t/bench/convert.sh
	t/bench/service.sh
	t/bench/poll.sh

lint:
	$(MAKE) BUILD=build-lint CFLAGS='-O2 -D_FORTIFY_SOURCE=2 -Werror' all units
	cppcheck --quiet --std=c11 --enable=warning,portability \
	    --error-exitcode=1 --inline-suppr -Ilib lib fcgi worker

install: all
	install -d $(DESTDIR)$(PREFIX)/libexec/cic $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/share/cic/image/base $(DESTDIR)$(PREFIX)/share/cic/nginx \
	    $(DESTDIR)$(PREFIX)/share/cic/apache \
	    $(DESTDIR)$(PREFIX)/share/cic/systemd \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)/etc/cic
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/libexec/cic
	install -m 755 cic_cli $(DESTDIR)$(PREFIX)/bin
	ln -sf ../libexec/cic/cic-build $(DESTDIR)$(PREFIX)/bin/cic-build
	install -m 644 conf/openapi.json $(DESTDIR)$(PREFIX)/share/cic
	install -m 644 conf/image/Dockerfile conf/image/inner.sh \
	    $(DESTDIR)$(PREFIX)/share/cic/image
	install -m 644 conf/image/base/Dockerfile \
	    $(DESTDIR)$(PREFIX)/share/cic/image/base
	install -m 644 nginx/*.conf $(DESTDIR)$(PREFIX)/share/cic/nginx
	install -m 644 conf/apache/*.conf $(DESTDIR)$(PREFIX)/share/cic/apache
	install -m 644 conf/systemd/* $(DESTDIR)$(PREFIX)/share/cic/systemd
	install -m 644 conf/completion/cic_cli.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/cic_cli
	install -m 644 conf/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 conf/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	[ -e $(DESTDIR)/etc/cic/cic.yaml ] || \
	    install -m 640 conf/cic.yaml $(DESTDIR)/etc/cic/cic.yaml

clean:
	rm -rf build build-asan build-lint build-fuzz

.PHONY: all demo demo-stop demo-clean check check-built check-long check-unit check-asan \
	check-spack units fuzz bench lint install clean
.SECONDARY:
