#!/bin/sh
# Stands for the data path's program in test/tsan: the same under ThreadSanitizer, without the sandbox, whose rules do not know
# the sanitizer, and without address randomization, which puts maps where it cannot follow.
exec setarch -R "$(dirname "$(readlink -f "$0")")/../../datapath/build/tsan/loom-datapath" --no-sandbox "$@"
