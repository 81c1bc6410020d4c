#!/usr/bin/env bash
# Where the corpora are on your machine (folders that hold dev_set/), so that --data_root need not be given each time.
# shellcheck disable=SC2034  # read by the script that sources this

declare -A corpora=(
    [dcase26]=""
)
