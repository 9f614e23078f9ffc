#!/bin/sh
# Compiles the kernels and writes the hashes that tests/jobs/backend/kernels-manifest.test.ts checks.
# Needs clang and lld 19 (Debian: apt-get install clang-19 lld-19). Run it after every change to a source in this folder.
set -eu
cd "$(dirname "$0")"
flags="--target=wasm32 -O3 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra -Werror -msimd128 -mbulk-memory -matomics
  -Wl,--no-entry -Wl,--import-memory -Wl,--shared-memory -Wl,--max-memory=4294967296 -Wl,--export=__stack_pointer -Wl,--strip-all"
clang-19 $flags -o kernels.wasm kernels.c
clang-19 $flags -mrelaxed-simd -o kernels-fma.wasm kernels.c
sha256sum build.sh *.c *.h *.wasm > SHA256SUMS
