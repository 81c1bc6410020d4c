#!/usr/bin/env bash
# Fig. 5 of the paper: many systems, from taggers and separators that were trained for shorter or longer.  Options: --help.
set -Eeuo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=egs/dcase26_s5/path.sh
. "${recipe}/path.sh"
exec s5lib sweep plane --recipe "${recipe}" "$@"
