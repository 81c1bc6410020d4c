#!/usr/bin/env bash
# Where the corpora are on your machine, so that --data_root need not be given each time: the folder that holds dev_set/.
# shellcheck disable=SC2034  # read by the script that sources this

declare -A corpora=(
    [dcase26]=""
)
