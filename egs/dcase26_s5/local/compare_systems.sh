#!/usr/bin/env bash
# The systems that the paper compares with or points to, beside its own.  Options: --help.
set -Eeuo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=egs/dcase26_s5/path.sh
. "${recipe}/path.sh"
exec s5lib sweep systems --recipe "${recipe}" "$@"
