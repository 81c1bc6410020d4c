#!/usr/bin/env bash
# Runs the tests, and first sets up what they need (tools/install.sh).
#
#   tools/test.sh                                     all but the slow ones
#   tools/test.sh --slow                              the slow ones
#   tools/test.sh tests/metrics -k silence            anything else is handed to pytest

set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

arguments=()
for argument in "$@"; do
    case ${argument} in
        -h | --help)
            sed -n '2,/^$/s/^# \{0,1\}//p' tools/test.sh
            exit 0
            ;;
        --slow) arguments+=(-m slow) ;;
        *)
            # a path is seen from where you stand, though the tests run in the repository's root
            if [[ ${argument} != [-/]* && -e ${called_from}/${argument%%::*} ]]; then
                argument=${called_from}/${argument}
            fi
            arguments+=("${argument}")
            ;;
    esac
done

# shellcheck source=tools/install.sh
. tools/install.sh
s5lib_setup test || exit 1
exec python3 -m pytest "${arguments[@]}"
