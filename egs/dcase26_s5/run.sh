#!/usr/bin/env bash
# Spatial semantic segmentation of sound scenes on the corpora of DCASE 2026 task 4, or on the library's own `mini`.
#
#   egs/dcase26_s5/run.sh                                                  # all stages on mini; nothing to download
#   egs/dcase26_s5/run.sh --corpus dcase26 --data_root /data/dcase26       # the official development set
#   egs/dcase26_s5/run.sh --help
#
# From any folder: this one is made the working folder, and what you give is seen from where you stand.

set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/s5.sh
. ../TEMPLATE/s5.sh "$@"
