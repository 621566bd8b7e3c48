# Builds the data path under ThreadSanitizer: make -C datapath -f tsan.mk. Run it with --no-sandbox, under `setarch -R` where
# the kernel spreads addresses further than the sanitizer can follow. test/tsan drives it.
#
# clang, since gcc refuses fences here: neither follows them, and the orders that matter are also in the operations beside them.

CC := clang
PROGRAM := build/tsan/loom-datapath
SOURCES := $(wildcard src/*.c)
OBJECTS := $(SOURCES:%.c=build/tsan/%.o)

# libipsec-mb is assembly that the sanitizer does not see into; what it writes would be unknown to it.
FLAGS := -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -fsanitize=thread -Wall -Wextra -Werror -pthread -MMD -MP

.PHONY: tsan
tsan: $(PROGRAM)

$(PROGRAM): $(OBJECTS)
	$(CC) -fsanitize=thread -o $@ $^ -lcrypto -pthread

build/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -iquote src -c -o $@ $<

-include $(OBJECTS:.o=.d)
