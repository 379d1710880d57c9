#!/bin/bash
# stable_diffusion_cpp.sh: what stable-diffusion.cpp takes for a picture of 512x512, beside `limn-bench forward ldm-unet 2 bf16` and `decode vae 1 bf16`.
#
#   bench/peers/stable_diffusion_cpp.sh FOLDER [OPTION...]        options of its program, as --diffusion-fa, --type f16, -t 4
#
# FOLDER gets the source package, the program built for this CPU, random weights, picture and log (2.5 GB); a second run finds them.  Needs cmake, a C++
# compiler and PYTHON (python3) with pip, numpy, safetensors.  pip asks a package for its metadata even to download it, and gets scikit-build-core for that.
# The settings are the fastest found on AVX512_BF16: ggml's tiled products (off unless asked for), matrices in bf16 (convolutions stay f16), no flash attention,
# convolutions by im2col.  A guided step is two evaluations of batch 1, one after the other.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [OPTION...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd) python=${PYTHON:-python3} package=stable_diffusion_cpp_python-0.4.7 steps=3
mkdir -p "$1"
cd "$1"
shift

[ -f $package.tar.gz ] || "$python" -m pip download -q --no-deps --no-binary stable-diffusion-cpp-python stable-diffusion-cpp-python==0.4.7
echo "998d1957260dd5ae4e18a8acc0c14b0a8757aaa9f96515197b6d5bbf46df9282  $package.tar.gz" | sha256sum --check --quiet
if [ ! -x build/bin/sd-cli ]; then
    echo "building; build.log tells"
    { tar xf $package.tar.gz &&
      cmake -S $package/vendor/stable-diffusion.cpp -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DGGML_LLAMAFILE=ON -DSD_WEBP=OFF -DSD_WEBM=OFF &&
      cmake --build build -j2 --target sd-cli; } >build.log 2>&1 || { tail build.log >&2; exit 1; }
fi
if [ ! -f sd15.safetensors ]; then
    "$python" "$here/sd15_random.py" new.safetensors
    mv new.safetensors sd15.safetensors
fi

set -- --type bf16 -t 2 "$@" -v -m sd15.safetensors -o picture.png -p "a cat" -W 512 -H 512 --cfg-scale 7 --steps $steps
echo "sd-cli $*"
build/bin/sd-cli "$@" >run.log 2>&1 || { grep -m 3 ERROR run.log >&2 || tail run.log >&2; exit 1; }

# Its MB are of 1024 * 1024 bytes; those printed here are of a million, as Limn's.
tr '\r' '\n' <run.log | awk -v steps=$steps '
function after(words) { return substr($0, index($0, words) + length(words)) + 0 }
/unet params backend buffer size/      { unet = after("size =") * 1.048576 }
/vae params backend buffer size/       { vae = after("size =") * 1.048576 }
/total params memory size/             { weights = after("size =") * 1.048576 }
/unet compute buffer size/             { unet_buffer = after("size:") * 1.048576 }
/vae compute buffer size/              { vae_buffer = after("size:") * 1.048576 }
/sampling completed, taking/           { step = after("taking") / steps }
/decode_first_stage completed, taking/ { decoding = after("taking") }
END {
    if (!(step && decoding && weights && unet && vae && unet_buffer && vae_buffer)) { print "run.log lacks a time or a size" >"/dev/stderr"; exit 1 }
    printf "U-Net, batch 1   %7.2f s\nguided step      %7.2f s (mean of %d)\ndecoding         %7.2f s\n", step / 2, step, steps, decoding
    printf "weights          %7.0f MB (U-Net %.0f, decoder %.0f)\n", weights, unet, vae
    printf "buffers          %7.0f MB U-Net, %.0f MB decoder\n", unet_buffer, vae_buffer
}'
