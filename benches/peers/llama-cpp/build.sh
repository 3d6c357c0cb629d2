#!/bin/sh
# Builds llama.cpp's RPC server and benches for this machine's processor: build.sh FOLDER [SDIST]
#
# The sources come with the source distribution of llama-cpp-python, which pip fetches, or with the
# file SDIST. Needs cmake, a C++ compiler and, without SDIST, python3 with pip. The programs end up
# in FOLDER/bin.
set -eu

VERSION=0.3.36
TARGETS="ggml-rpc-server llama-bench llama-batched-bench"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: build.sh FOLDER [SDIST]" >&2
    exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
archive="$folder/llama_cpp_python-$VERSION.tar.gz"

if [ $# -eq 2 ]; then
    archive=$2
elif [ ! -f "$archive" ]; then
    python3 -m pip download --no-binary llama-cpp-python --no-deps --dest "$folder" \
        "llama-cpp-python==$VERSION"
fi
rm -rf "$folder/source"
mkdir "$folder/source"
tar -xzf "$archive" -C "$folder/source" --strip-components 1

# Static, so that the programs need nothing beside them; native is what a local user builds.
cmake -S "$folder/source/vendor/llama.cpp" -B "$folder/build" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DGGML_RPC=ON \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
    -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF
# shellcheck disable=SC2086
cmake --build "$folder/build" --parallel --target $TARGETS
mkdir -p "$folder/bin"
for target in $TARGETS; do
    cp "$folder/build/bin/$target" "$folder/bin/"
done
echo "built in $folder/bin"
