#!/bin/sh
# in_folder.sh FOLDER PROGRAM [ARGUMENT ...]: runs a test in an empty folder.  What it wrote there goes when it passes (all tests
# together write 5 GB) and stays to be looked at when it fails.
folder=$1
shift
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
"$@" || exit
cd / && rm -rf "$folder"
