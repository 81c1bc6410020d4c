#!/usr/bin/env bash
# Check and measure s5lib on this machine's GPU: benchmarks/gpu.sh [--device cpu --quick] [--out FOLDER]; see --help.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
BEGAN=$(date +%s)
export BEGAN PYTHONPATH=${here}/..${PYTHONPATH:+:${PYTHONPATH}} PYTHONUNBUFFERED=1
exec python3 "${here}/gpu.py" "$@"
