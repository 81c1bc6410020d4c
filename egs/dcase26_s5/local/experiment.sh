#!/usr/bin/env bash
# What the experiments of this folder share: common options, and a queue of runs of the recipe, several at a time.
#
# The script that sources this sets called_from, script_name and what (one line for --help), stands in the recipe's folder,
# adds its options to the arrays of names below, and then calls in this order
#   begin "$@"                      options, environment, data
#   queue NAME FOLDER OPTION...     a run of run.sh in the experiment folder FOLDER; once or more
#   run_queue TRAINING...           says how long it will take, then runs what is not done yet
# TRAINING is "NUMBER of KIND CONFIG OPTION...", what the time is reckoned from.
# shellcheck disable=SC2034,SC2154,SC2178  # variables of the scripts that share them

repository=$(cd ../.. && pwd)
# shellcheck source=egs/TEMPLATE/options.sh
. ../TEMPLATE/options.sh
# shellcheck source=egs/TEMPLATE/stages.sh
. ../TEMPLATE/stages.sh

value_options=(corpus data_root data_config datadir dumpdir expdir jobs ngpu)
list_options=(seeds train_conf)
flag_options=(dry_run)
corpus=mini data_root='' data_config='' datadir='' dumpdir='' expdir='' jobs='' ngpu=''
seeds=() train_conf=() separator_conf=() dry_run=false help=false
options_help=

common_help() {
    cat <<END
  --corpus NAME            (${corpus})
  --data_root DIR          as for run.sh
  --data_config FILE       as for run.sh (conf/CORPUS/data.yaml, where there is one)
  --datadir DIR            data directories (data/CORPUS)
  --dumpdir DIR            rendered audio (dump/CORPUS)
  --expdir DIR             where all runs are kept (exp/CORPUS/${experiment})
  --seeds N ...            one run of everything for each (${default_seeds})
  --train_conf K=V ...     options of the training, in place of the configuration's: max_steps=500
  --jobs N                 runs at a time (without a GPU one for each core, at most 4; with GPUs 1)
  --ngpu N                 GPUs of each run (1 where there is a GPU, else 0)
  --dry_run                print the runs, do nothing
  --help                   this text

Given again, the same command goes on with what is not done yet.
END
}

begin() { # begin ARGUMENT...
    local name
    parse_options "$@"
    if ${help}; then
        printf 'usage: local/%s [options]\n\n%s\n\n%s' "${script_name}" "${what}" "${options_help}"
        common_help
        exit 0
    fi
    [[ ${corpus} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
        usage_error "--corpus becomes part of file names: letters, digits, '.', '_' and '-', not '${corpus}'."
    ((${#seeds[@]})) || read -ra seeds <<<"${default_seeds}"
    for seed in "${seeds[@]}"; do check_integer seed 0; done
    for name in data_root data_config datadir dumpdir expdir; do
        [[ -z ${!name} ]] || printf -v "${name}" '%s' "$(absolute "${!name}" "${called_from}")"
    done
    datadir=${datadir:-${PWD}/data/${corpus}} dumpdir=${dumpdir:-${PWD}/dump/${corpus}}
    expdir=${expdir:-${PWD}/exp/${corpus}/${experiment}}
    check_ngpu
    if [[ -z ${jobs} ]]; then
        jobs=1
        if ((ngpu == 0)); then jobs=$(($(nproc) < 4 ? $(nproc) : 4)); fi
    fi
    check_integer jobs 1
    # Runs side by side share the cores; one with a core of its own is as fast as one that is fought over by two.
    threads=$(($(nproc) / jobs > 0 ? $(nproc) / jobs : 1))
    place=(--corpus "${corpus}" --datadir "${datadir}" --dumpdir "${dumpdir}" --ngpu "${ngpu}")
    [[ -z ${data_root} ]] || place+=(--data_root "${data_root}")
    [[ -z ${data_config} ]] || place+=(--data_config "${data_config}")
    training=()
    if ((${#train_conf[@]})); then training=(--train_conf "${train_conf[@]}"); fi
    if ${dry_run}; then
        quoted ./run.sh --stage 1 --stop_stage 1 "${place[@]}"
        return
    fi
    # shellcheck source=egs/dcase26_s5/path.sh
    . ./path.sh || exit 1
    mkdir -p -- "${expdir}"
    ./run.sh --stage 1 --stop_stage 1 "${place[@]}" --expdir "${expdir}"
}

config_of() { # config_of KIND: what --KIND_config says, else the corpus's configuration, or mini's where it has none
    local -n given=$1_config
    local file=conf/${corpus}/$1.yaml
    [[ -e ${file} ]] || file=conf/mini/$1.yaml
    if [[ -n ${given} ]]; then file=$(absolute "${given}" "${called_from}"); fi
    printf '%s\n' "${file}"
}

find_model() { # find_model KIND: what --KIND_model says, else the recipe's own
    local -n model=$1_model
    if [[ -n ${model} ]]; then
        model=$(absolute "${model}" "${called_from}")
    else
        model=${PWD}/exp/${corpus}/$1/model.safetensors
    fi
    ${dry_run} || [[ -f ${model} ]] ||
        die "there is no trained $1 ${model}. Train one (run.sh --stage 2 --stop_stage 3), or name another: --$1_model FILE."
}

queued=() # names of the runs; the words of number i are in the array command_i
declare -A folder_of=() number_of=()

new_queue() {
    queued=()
}

queue() { # queue NAME FOLDER OPTION...
    local name=$1 folder=$2
    local -n words=command_${#queued[@]}
    shift 2
    words=(./run.sh "$@" "${place[@]}" --nj "${threads}" --expdir "${folder}" "${training[@]}")
    folder_of[${name}]=${folder}
    number_of[${name}]=${#queued[@]}
    queued+=("${name}")
}

command_of() { # command_of NAME: as it would be typed
    local -n words=command_${number_of[$1]}
    quoted "${words[@]}"
}

is_done() { # is_done NAME: by this very command
    [[ $(cat -- "${folder_of[$1]}/done" 2>/dev/null || true) == "$(command_of "$1")" ]]
}

in_words() { # in_words SECONDS
    if (($1 < 90)); then
        printf '%d s' "$1"
    elif (($1 < 5400)); then
        printf '%d min' "$((($1 + 30) / 60))"
    else
        printf '%d h %02d min' "$(($1 / 3600))" "$(($1 % 3600 / 60))"
    fi
}

seconds_of() { # seconds_of KIND CONFIG OPTION...: of one training, by short trials on this machine
    local kind=$1 config=$2 pair told options=()
    shift 2
    for pair in "${train_conf[@]}"; do options+=("--${pair%%=*}" "${pair#*=}"); done
    for pair in "${separator_conf[@]}"; do options+=(--separator_conf "${pair}"); done
    told=$(OMP_NUM_THREADS=${threads} s5lib train "${kind}" --config "${config}" --data_dir "${datadir}" \
        --expdir "${expdir}" --ngpu "${ngpu}" "${options[@]}" "$@" --estimate) ||
        die "the training could not be tried: s5lib train ${kind} --config ${config}"
    [[ ${told##*$'\n'} =~ :\ ([0-9]+)[0-9.]*\ s$ ]] || die "no duration in '${told##*$'\n'}'."
    printf '%d\n' "${BASH_REMATCH[1]}"
}

declare -A running=() # name by process
failed=()

stop_runs() {
    local process
    for process in "${!running[@]}"; do kill -TERM -- "-${process}" 2>/dev/null || true; done
    wait
    printf '%s: interrupted. The same command goes on where it stopped.\n' "${script_name}" >&2
    exit "$1"
}

start_run() { # start_run NAME
    local folder=${folder_of[$1]}
    local -n words=command_${number_of[$1]}
    mkdir -p -- "${folder}"
    # A process group of its own: what it has started is stopped with it.
    OMP_NUM_THREADS=${threads} setsid "${words[@]}" </dev/null >>"${folder}/run.log" 2>&1 &
    running[$!]=$1
    log "$1: started, log in ${folder}/run.log"
}

collect_run() { # collect_run PROCESS
    local name=${running[$1]}
    unset "running[$1]"
    if wait "$1"; then
        command_of "${name}" >"${folder_of[${name}]}/done"
        finished=$((finished + 1))
        local left=$(((SECONDS - since) * (${#todo[@]} - finished) / finished))
        log "${name}: done; ${finished} of ${#todo[@]}, about $(in_words "${left}") left"
    else
        failed+=("${name}")
        log "${name}: failed; the last lines of ${folder_of[${name}]}/run.log:"
        tail -n 5 -- "${folder_of[${name}]}/run.log" | sed 's/^/    /'
    fi
}

run_queue() { # run_queue ["NUMBER of KIND CONFIG OPTION..."]...
    local name process training number kind config words total=0 since finished=0
    todo=()
    for name in "${queued[@]}"; do
        if ${dry_run}; then
            command_of "${name}"
        elif is_done "${name}"; then
            log "${name}: done already"
        else
            todo+=("${name}")
        fi
    done
    if ${dry_run} || ((${#todo[@]} == 0)); then return; fi
    for training in "$@"; do
        read -r number _ kind config words <<<"${training}"
        # shellcheck disable=SC2086  # plain words of the scripts here
        total=$((total + number * $(seconds_of "${kind}" "${config}" ${words})))
    done
    total=$((total * ${#todo[@]} / ${#queued[@]} / (jobs < ${#todo[@]} ? jobs : ${#todo[@]})))
    log "${#todo[@]} of ${#queued[@]} runs, ${jobs} at a time with ${threads} threads each:" \
        "training takes about $(in_words "${total}") in all"
    trap 'stop_runs 130' INT
    trap 'stop_runs 143' TERM
    since=${SECONDS}
    for name in "${todo[@]}" ''; do
        while ((${#running[@]} && (${#running[@]} >= jobs || ${#name} == 0))); do
            sleep 0.5
            for process in "${!running[@]}"; do
                kill -0 "${process}" 2>/dev/null || collect_run "${process}"
            done
        done
        [[ -z ${name} ]] || start_run "${name}"
    done
    set_traps
    ((${#failed[@]} == 0)) || die "${#failed[@]} runs failed: ${failed[*]}. Mend what the logs tell and give the same command again."
}

summarise() { # summarise COMMAND ARGUMENT...: printed, then run
    quoted "$@"
    ${dry_run} || "$@"
}
