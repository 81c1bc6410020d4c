#!/usr/bin/env bash
# Fig. 4 of the paper: the separator trained with three losses that differ in the aligner alone, three seeds.  Options: --help.
set -Eeuo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=egs/dcase26_s5/path.sh
. "${recipe}/path.sh"
exec s5lib sweep losses --recipe "${recipe}" "$@"
