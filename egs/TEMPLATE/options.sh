#!/usr/bin/env bash
# Options of a staged script: --name value and --name=value, without eval; hyphens and underscores are the same.
#
# The script that sources this declares, before it calls `parse_options "$@"`, three arrays of names:
#   value_options   take one value and set the variable of that name
#   list_options    take one or more words, may be repeated, and append to the array of that name
#   flag_options    set the variable of that name to true
# A wrong command line ends the script with status 2 and one message.
# shellcheck disable=SC2034,SC2154  # the variables are those of the script that sources this

usage_error() {
    printf '%s: error: %s\n' "${script_name}" "$*" >&2
    exit 2
}

is_among() { # is_among WORD CHOICE...
    local word=$1 choice
    shift
    for choice in "$@"; do
        [[ ${choice} != "${word}" ]] || return 0
    done
    return 1
}

# nearest WORD CHOICE...: "Known: ... Did you mean ...?", by the rule that the library uses; empty without a Python.
nearest() {
    PYTHONPATH=${repository} python3 -c 'import sys
from s5lib.errors import nearest
print(nearest(sys.argv[1], sys.argv[2:]))' "$@" 2>/dev/null || true
}

parse_options() {
    local name value known=(help "${value_options[@]}" "${list_options[@]}" "${flag_options[@]}")
    while (($#)); do
        case $1 in
            -h | --help)
                help=true
                shift
                continue
                ;;
            --[!-]*) ;;
            *) usage_error "unexpected argument '$1'. Options look like '--stage 2'; --help lists them." ;;
        esac
        name=${1%%=*}
        name=${name#--}
        name=${name//-/_}
        if is_among "${name}" "${flag_options[@]}"; then
            value=true
            if [[ $1 == *=* ]]; then value=${1#*=}; fi
            is_among "${value}" true false || usage_error "--${name} is true or false, not '${value}'."
            printf -v "${name}" '%s' "${value}"
            shift
            continue
        fi
        is_among "${name}" "${known[@]}" || usage_error "no option '--${name}'. $(nearest "${name}" "${known[@]}")"
        if [[ $1 == *=* ]]; then
            value=${1#*=}
            shift
        else
            (($# > 1)) || usage_error "--${name} needs a value."
            [[ $2 != --* ]] || usage_error "--${name} needs a value, but the next word is the option '$2'."
            value=$2
            shift 2
        fi
        [[ -n ${value} ]] || usage_error "the value of --${name} is empty. Leave the option out for its default."
        if is_among "${name}" "${value_options[@]}"; then
            printf -v "${name}" '%s' "${value}"
            continue
        fi
        local -n list=${name}
        list+=("${value}")
        while (($#)) && [[ $1 != -* ]]; do
            list+=("$1")
            shift
        done
    done
}

check_integer() { # check_integer NAME LOWEST [HIGHEST]: and take leading zeros off, which would mean octal
    local name=$1 lowest=$2 highest=${3:-} range
    local -n number=${name}
    range="a whole number from ${lowest}${highest:+ to ${highest}}"
    [[ -n ${highest} ]] || range+=" up"
    [[ ${number} =~ ^[0-9]{1,9}$ ]] || usage_error "--${name} is ${range}, not '${number}'."
    number=$((10#${number}))
    if ((number < lowest)) || [[ -n ${highest} && ${number} -gt ${highest:-0} ]]; then
        usage_error "--${name} is ${range}, not '${number}'."
    fi
}

check_ngpu() { # check the option ngpu; where it is not given, set it: 1 where there is a GPU, else 0
    if [[ -z ${ngpu} ]]; then
        ngpu=0
        if [[ ${CUDA_VISIBLE_DEVICES-all} != '' && $(nvidia-smi -L 2>/dev/null || true) == 'GPU '* ]]; then ngpu=1; fi
    fi
    check_integer ngpu 0
}
