#!/usr/bin/env bash
# Table 1 of the paper: the tagger with one channel and with four, before one separator.  Options: --help.
set -Eeuo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=egs/dcase26_s5/path.sh
. "${recipe}/path.sh"
exec s5lib sweep taggers --recipe "${recipe}" "$@"
