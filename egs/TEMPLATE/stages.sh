#!/usr/bin/env bash
# Running the stages of a recipe: each command printed, its output on the screen and in a log, a failure reported once.
#
# The script that sources this sets script_name, expdir, dry_run and stage_titles, and defines stage_1, stage_2, ...;
# a stage says what it needs (`need`) and starts one command (`run`).
# shellcheck disable=SC2154  # those variables

stage_now=     # number of the stage that runs
stage_command= # its command, as printed
stage_log=     # the file that holds its output
log_start=1    # the line of that file where this run's output begins
copier=        # the process that copies the output there

log() {
    printf '%(%Y-%m-%dT%H:%M:%S)T (%s) %s\n' -1 "${script_name}" "$*"
}

die() {
    printf '%s: error: %s\n' "${script_name}" "$*" >&2
    exit 1
}

quoted() { # the words as they would be typed
    local word line=
    for word in "$@"; do
        printf -v word '%q' "${word}"
        line+="${line:+ }${word}"
    done
    printf '%s\n' "${line}"
}

absolute() { # absolute PATH [FOLDER]: PATH as seen from FOLDER, by default the recipe's
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s/%s\n' "${2:-${PWD}}" "$1" ;;
    esac
}

need() { # need PATH STAGE WHAT [HINT]: PATH is made by STAGE; a dry run takes it for made
    ${dry_run} || [[ -e $1 ]] ||
        die "stage ${stage_now} needs $3, and there is no $(absolute "$1")." \
            "Stage $2 makes it: give the same options with '--stage $2'.${4:+ $4}"
}

# From its input to the screen and to the log; there, of a progress bar only the last state of its line is kept.
copy_to_log() {
    local keeper
    exec 4> >(exec sed -u 's/.*\r\(.\)/\1/; s/\r$//' >>"${stage_log}")
    keeper=$!
    tee /dev/fd/4
    exec 4>&-
    wait "${keeper}"
}

# The copying process ignores Ctrl-C and its like, so that a command's last words still arrive; it ends when that ends.
start_copying() {
    trap '' HUP INT TERM
    exec 3> >(copy_to_log)
    copier=$!
    set_traps
}

# The last lines are waited for, but not for ever: a process that the command has left behind may hold the pipe open.
stop_copying() {
    local began=${SECONDS}
    [[ -n ${copier} ]] || return 0
    exec 3>&-
    while ((SECONDS - began < 4)) && kill -0 "${copier}" 2>/dev/null; do sleep 0.03; done
    copier=
}

run() { # run COMMAND ARGUMENT...
    local status=0
    stage_command=$(quoted "$@")
    printf '%s\n' "${stage_command}"
    if ${dry_run}; then return; fi
    log "${stage_command}" >>"${stage_log}"
    log_start=$(($(wc -l <"${stage_log}") + 1))
    start_copying
    "$@" </dev/null >&3 2>&1 3>&- || status=$?
    stop_copying
    return "${status}"
}

skip() { # skip REASON
    if ${dry_run}; then
        printf '# skipped: %s\n' "$*"
    else
        log "stage ${stage_now}: skipped; $*"
    fi
}

open_log() {
    local folder=${expdir}/logs
    stage_log=$(absolute "${folder}/stage${stage_now}.log")
    if ! { mkdir -p -- "${folder}" && [[ -w ${expdir} ]] && : >>"${stage_log}"; } 2>/dev/null; then
        die "cannot write into the experiment folder $(absolute "${expdir}")." \
            "Make it writable, or choose another by --expdir."
    fi
}

on_interrupt() {
    trap 'exit 130' INT # a second Ctrl-C waits for nothing
    stop_copying
    if [[ -t 2 ]]; then echo >&2; fi # leave the line of a progress bar, or of ^C
    printf '%s: interrupted%s. The same command goes on where it stopped.\n' \
        "${script_name}" "${stage_now:+ in stage ${stage_now} (${stage_titles[stage_now]:-})}" >&2
    exit "$1"
}

on_error() { # on_error STATUS LINE COMMAND
    ((BASH_SUBSHELL == 0)) || exit "$1"
    trap - ERR
    case $1 in 130 | 143) on_interrupt "$1" ;; esac
    {
        if [[ -n ${stage_command} ]]; then
            printf '%s: error: stage %s (%s) failed with status %s.\n' \
                "${script_name}" "${stage_now}" "${stage_titles[stage_now]}" "$1"
            printf '  command: %s\n  log: %s\n' "${stage_command}" "${stage_log}"
            printf '  its last lines:\n'
            tail -n "+${log_start}" -- "${stage_log}" | tail -n 12 | sed 's/^/    /'
        else
            printf '%s: error: line %s failed with status %s: %s\n' "${script_name}" "$2" "$1" "$3"
        fi
    } >&2
    exit "$1"
}

set_traps() {
    trap 'on_error "$?" "${LINENO}" "${BASH_COMMAND}"' ERR
    trap - HUP
    trap 'on_interrupt 130' INT
    trap 'on_interrupt 143' TERM
}

run_stages() { # run_stages FIRST LAST
    export PYTHONUNBUFFERED=1
    local started rows columns
    if [[ -t 1 ]]; then # the commands write into a pipe; this says that a person watches its other end
        export S5LIB_PROGRESS=1
        read -r rows columns < <({ stty size </dev/tty; } 2>/dev/null || echo 0 0)
        if ((rows > 0 && columns > 0)); then export LINES=${rows} COLUMNS=${columns}; fi
    fi
    for ((stage_now = $1; stage_now <= $2; stage_now++)); do
        if ${dry_run}; then
            printf '# stage %s: %s\n' "${stage_now}" "${stage_titles[stage_now]}"
            "stage_${stage_now}"
            continue
        fi
        open_log
        log "stage ${stage_now}: ${stage_titles[stage_now]}"
        started=${SECONDS}
        "stage_${stage_now}"
        stage_command=
        log "stage ${stage_now}: done in $((SECONDS - started)) s"
    done
    stage_now=
}
