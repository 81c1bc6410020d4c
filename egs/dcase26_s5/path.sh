#!/usr/bin/env bash
# Puts a Python that has s5lib first on PATH, and makes one where there is none.  To be sourced, in the recipe's folder.

# shellcheck source=tools/install.sh
. ../../tools/install.sh
s5lib_setup
