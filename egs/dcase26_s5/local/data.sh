#!/usr/bin/env bash
# Fetch the DCASE 2026 Task 4 set, once, before `run.sh --corpus dcase26 --data_root DIR`; about 100 GB of room is needed.
#   local/data.sh --data_root DIR [--semhear_path DIR] [--ears_path DIR] [--eval_set] [--nj N]
set -Eeuo pipefail
# shellcheck source=egs/dcase26_s5/path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../path.sh"
exec s5lib fetch "$@"
