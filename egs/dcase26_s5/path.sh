#!/usr/bin/env bash
# Puts a Python that has s5lib first on PATH, and makes one where there is none.  To be sourced.

# shellcheck source=tools/install.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../tools/install.sh"
s5lib_setup
