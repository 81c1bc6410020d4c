#!/usr/bin/env bash
# The stages of an S5 recipe, from a corpus to a scored system.  A recipe's run.sh sources this from its own folder.
#
# Thin on purpose: defaults, help, checks, and one command a stage; all thinking is in `s5lib`.  A new stage is a title
# in stage_titles and a function stage_N.
#
# From run.sh: called_from, the folder in which the user stood.
# shellcheck disable=SC2034  # the arrays KIND_conf are read by their names, in train

: "${called_from:?is set by run.sh}"
script_name=run.sh
repository=$(cd ../.. && pwd)
# shellcheck source=egs/TEMPLATE/options.sh
. ../TEMPLATE/options.sh
# shellcheck source=egs/TEMPLATE/stages.sh
. ../TEMPLATE/stages.sh
# shellcheck source=egs/dcase26_s5/db.sh
. ./db.sh
set_traps

stage_titles=([1]="data" [2]="tagger" [3]="separator" [4]="inference" [5]="scores" [6]="submission package")

# Options and their defaults; an empty default is filled in below.
value_options=(stage stop_stage corpus data_root clips rooms num_rooms noise interference
    data_config duration test_scenes valid_scenes zero_target datadir dumpdir expdir tag
    tagger_config tagger tagger_model separator_config separator separator_model aligner
    system rounds joint_model_config joint_model tagger_cache submission eval_set ngpu num_nodes nj seed)
list_options=(tagger_conf separator_conf joint_model_conf train_conf scenes_conf labels plugin)
flag_options=(spatial_filter dry_run)
stage=1 stop_stage=''
corpus=mini data_root='' clips='' rooms='' num_rooms='' noise='' interference=''
data_config='' duration='' test_scenes='' valid_scenes='' zero_target=''
datadir='' dumpdir='' expdir='' tag=''
tagger_config='' tagger='' tagger_conf=() tagger_model=''
separator_config='' separator='' separator_conf=() separator_model='' aligner=''
submission=Author_Affiliation_task4_1 eval_set=''
system=tag_separate rounds='' joint_model_config='' joint_model='' joint_model_conf=()
train_conf=() scenes_conf=() labels=()
plugin=()
tagger_cache='' ngpu='' num_nodes='' nj='' seed=0
spatial_filter=false dry_run=false help=false

print_help() {
    cat <<END
usage: run.sh [--stage N] [--stop_stage N] [options]

Trains and scores a system for spatial semantic segmentation of sound scenes.

stages:
  1  data        prepare the corpus, the test mixtures and the data directories
  2  tagger      train the tagger: the head first, then fine-tuning
  3  separator   train the separator with oracle labels
  4  inference   run the system on the test set, with predicted and with oracle labels
  5  scores      CA-PI-SDRi, PI-SDRi and accuracies, into EXPDIR/RESULTS.md
  6  submission package  the challenge's zip file, checked, into EXPDIR/submission

what to run:
  --stage N                first stage (${stage})
  --stop_stage N           last stage (5, or the first if that is later)
  --dry_run                print the commands, run nothing
  --help                   this text

data:
  --corpus NAME            mini, which the library generates; dcase26; or any name for a folder of the same layout
                           (${corpus})
  --data_root DIR          the folder that holds the corpus's dev_set; not for mini
  --clips DIR              make the corpus from clips of your own, DIR/LABEL/[SOURCE/]*.wav; needs --corpus NAME
  --interference LABELS|DIR  classes of --clips that are only interference; or a folder of such clips
  --noise DIR              background recordings instead of synthesised noise
  --rooms DIR              measured impulse responses instead of simulated rooms
  --num_rooms N            simulated rooms for training
  --data_config FILE       (conf/CORPUS/data.yaml, if it exists)
  --duration SECONDS       duration of scenes, if the corpus has none (as configured, or in proportion to its clips)
  --test_scenes N          number of test mixtures, likewise
  --valid_scenes N         number of validation scenes, likewise
  --zero_target N          number of additional test mixtures without a target, likewise
  --datadir DIR            data directories: wav.scp, labels, ... (data/CORPUS)
  --dumpdir DIR            rendered audio (dump/CORPUS)

models:
  --tagger_config FILE     (conf/CORPUS/tagger.yaml if it exists, else conf/mini/tagger.yaml)
  --tagger NAME            tagger to use instead of the configuration's
  --tagger_conf K=V ...    its options
  --tagger_cache N         where its features do not train, compute those of N mixtures once and train on them;
                           0: draw new mixtures for each step
  --tagger_model FILE      a trained tagger for stage 4, instead of stage 2
  --separator_config FILE  (conf/CORPUS/separator.yaml if it exists, else conf/mini/separator.yaml)
  --separator NAME         separator to use instead of the configuration's
  --separator_conf K=V ... its options
  --separator_model FILE   a trained separator for stage 4, instead of stage 3
  --aligner NAME           how the loss pairs estimates with references: ca_pi, ca, pi or a plugin's
  --train_conf K=V ...     training options of stages 2 and 3 instead of the configuration's: max_steps=500
  --scenes_conf K=V ...    how stages 2 and 3 draw training scenes, beside the configuration's: rotate=true
  --plugin NAME|FILE.py    a module or file with further components; may be repeated

system:
  --system NAME            tag_separate; iterative: tags and separates repeatedly, then filters spatially; joint: one
                           model for both, trained by stage 3 (${system})
  --rounds N               most rounds of --system iterative (2)
  --spatial_filter         refine the sources by filters that keep their directions and cancel others
  --labels KIND ...        labels used by stage 4: predicted, oracle (both); oracle alone needs no tagger
  --joint_model_config FILE (conf/CORPUS/joint_model.yaml if it exists, else conf/mini/joint_model.yaml)
  --joint_model NAME       joint model to use instead of the configuration's
  --joint_model_conf K=V ...  its options

submission:
  --submission NAME        AUTHOR_AFFILIATION_task4_N (${submission})
  --eval_set DIR           soundscapes of the evaluation set, or a data directory, on which stage 6 runs the system
                           (the test set, with the outputs of stage 4)

where and how:
  --expdir DIR             models, logs, results (exp/CORPUS)
  --tag NAME               suffix of the outputs in EXPDIR: tagger_NAME, separator_NAME, infer_NAME, RESULTS_NAME.md;
                           the names given to --system, --tagger, --separator, --joint_model and --aligner,
                           and spatial_filter, are suffixes, too
  --ngpu N                 GPUs per machine; 0: CPU (1 if there is a GPU, else 0)
  --num_nodes N            machines; needs Slurm, see cmd.sh (1)
  --nj N                   processes (number of CPU cores)
  --seed N                 (${seed})

Your paths are relative to the working directory, default paths to $(pwd).
END
}

arguments=("$@")
parse_options "$@"
if ${help}; then
    print_help
    exit 0
fi

# --- checks of single options -------------------------------------------------------------------------------------
last_stage=${#stage_titles[@]}
check_integer stage 1 "${last_stage}"
[[ -n ${stop_stage} ]] || stop_stage=$((stage > 5 ? stage : 5))
check_integer stop_stage 1 "${last_stage}"
((stage <= stop_stage)) ||
    usage_error "nothing to do: --stage ${stage} is after --stop_stage ${stop_stage}."
check_integer seed 0
check_ngpu
for name in num_nodes test_scenes valid_scenes num_rooms rounds; do [[ -z ${!name} ]] || check_integer "${name}" 1; done
for name in tagger_cache zero_target; do [[ -z ${!name} ]] || check_integer "${name}" 0; done
[[ -z ${duration} || ${duration} =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage_error "--duration is in seconds, not '${duration}'."
workers=() # of the training; without --nj, the configuration's
if [[ -n ${nj} ]]; then check_integer nj 1 && workers=(--nj "${nj}"); else nj=$(nproc); fi
cpu_cmd=() cuda_cmd=() train_cmd=()
# shellcheck source=egs/dcase26_s5/cmd.sh
. ./cmd.sh
for name in corpus tag; do
    [[ -z ${!name} || ${!name} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
        usage_error "--${name} becomes part of file names: letters, digits, '.', '_' and '-', not '${!name}'."
done
is_among "${system}" tag_separate iterative joint ||
    usage_error "--system is tag_separate, iterative or joint, not '${system}'."
refuse() { # refuse REASON OPTION...: those that are given
    local reason=$1 option
    shift
    for option in "$@"; do
        local -n given=${option}
        [[ -z ${given[*]} ]] || usage_error "--${option} cannot be used here: ${reason}"
    done
}
for kind in "${labels[@]}"; do
    is_among "${kind}" predicted oracle || usage_error "--labels is predicted, oracle or both, not '${kind}'."
done
require_pairs() { # require_pairs OPTION EXAMPLE PAIR...
    local pair
    for pair in "${@:3}"; do
        [[ ${pair} =~ ^[a-z_]+=. ]] || usage_error "--$1 is KEY=VALUE, such as $2, not '${pair}'."
    done
}
require_pairs train_conf max_steps=500 "${train_conf[@]}"
require_pairs scenes_conf rotate=true "${scenes_conf[@]}"
for pair in "${train_conf[@]}"; do # what `train` passes itself; of two, the last would hold
    case ${pair%%=*} in
        config | data_dir | expdir | ngpu | num_nodes | seed | scenes_conf | plugin | tagger* | separator* | joint_model*) ;;
        nj | num_workers) ((${#workers[@]})) || continue ;;
        aligner) [[ -n ${aligner} ]] || continue ;;
        *) continue ;;
    esac
    usage_error "--train_conf cannot set '${pair%%=*}': run.sh has an option of its own for that; --help lists them."
done
if [[ ${system} == joint ]]; then
    refuse "--system joint has one model for labels and sources." tagger tagger_conf tagger_config tagger_cache \
        tagger_model separator separator_conf separator_config separator_model labels
else
    refuse "it needs --system joint." joint_model joint_model_conf joint_model_config
fi
[[ -z ${tagger_model} ]] ||
    refuse "--tagger_model is used instead of training one." tagger tagger_conf tagger_config tagger_cache
[[ -z ${separator_model} ]] ||
    refuse "--separator_model is used instead of training one." separator separator_conf separator_config aligner
[[ -z ${tagger_model} || -z ${separator_model} ]] ||
    refuse "with --tagger_model and --separator_model, nothing is trained." train_conf scenes_conf
[[ ${system} == iterative ]] || refuse "it needs --system iterative." rounds

# --- paths --------------------------------------------------------------------------------------------------------
if [[ -n ${clips} ]]; then
    refuse "--clips makes a new corpus." data_root
else
    refuse "it needs --clips." rooms num_rooms noise interference
fi
for name in data_root clips rooms noise data_config datadir dumpdir expdir eval_set tagger_config tagger_model separator_config separator_model \
    joint_model_config; do
    [[ -z ${!name} ]] || printf -v "${name}" '%s' "$(absolute "${!name}" "${called_from}")"
done
if [[ -n ${interference} && -d ${called_from}/${interference} && ! -d ${clips}/${interference} ]]; then # no class
    interference=$(absolute "${interference}" "${called_from}")
fi
for i in "${!plugin[@]}"; do
    [[ ${plugin[i]} != *.py ]] || plugin[i]=$(absolute "${plugin[i]}" "${called_from}")
done
datadir=${datadir:-data/${corpus}}
dumpdir=${dumpdir:-dump/${corpus}}
if [[ -n ${clips} ]]; then data_root=${dumpdir}/corpus; fi
[[ -n ${data_root} ]] || data_root=${corpora[${corpus}]-}
expdir=${expdir:-exp/${corpus}}

# What is asked for by name has a folder of its own, so that variants stand side by side without a --tag.
joined() { # joined WORD...: those that are not empty, each after "_", as a part of a file name
    local word
    for word in "$@"; do [[ -z ${word} ]] || printf '_%s' "${word//[^A-Za-z0-9._-]/_}"; done
}
tagger_dir=${expdir}/tagger$(joined "${tagger}" "${tag}")
separator_dir=${expdir}/separator$(joined "${separator}" "${aligner}" "${tag}")
joint_model_dir=${expdir}/joint_model$(joined "${joint_model}" "${aligner}" "${tag}")
filtered=''
if ${spatial_filter} && [[ ${system} != iterative ]]; then filtered=spatial_filter; fi # the iterative one always has it
suffix=$(joined "${system#tag_separate}" "${rounds}" "${filtered}" "${tagger}" "${separator}" "${joint_model}" "${aligner}" "${tag}")

default_config() { # default_config tagger|separator|joint_model
    local file=conf/${corpus}/$1.yaml
    [[ -e ${file} ]] || file=conf/mini/$1.yaml
    printf '%s\n' "${file}"
}
if [[ -z ${data_config} && -e conf/${corpus}/data.yaml ]]; then data_config=conf/${corpus}/data.yaml; fi
tagger_config=${tagger_config:-$(default_config tagger)}
separator_config=${separator_config:-$(default_config separator)}
joint_model_config=${joint_model_config:-$(default_config joint_model)}
if [[ ${system} == joint ]]; then stage_titles[3]="joint model"; fi

check_config() { # check_config OPTION: its file is there
    local file=${!1} found
    if [[ -f ${file} ]]; then return; fi
    found=$(printf '%s, ' conf/*/*.yaml)
    die "--$1: there is no file ${file}. This recipe has, in $(pwd): ${found%, }"
}

check_data_root() { # of what it holds, stage 1 itself complains
    if [[ -n ${clips} ]]; then
        ! is_among "${corpus}" mini dcase26 ||
            die "--clips ${clips}: name the new corpus, for example --corpus kitchen."
    elif [[ ${corpus} == mini ]]; then
        [[ -z ${data_root} ]] || die "--data_root ${data_root}: the library generates the corpus mini. Name the corpus" \
            "in that folder, for example --corpus dcase26."
    elif [[ -z ${data_root} ]]; then
        die "--corpus ${corpus} needs --data_root DIR, the folder that holds the corpus's dev_set/; $(pwd)/db.sh can" \
            "store it, and $(pwd)/local/data.sh downloads dcase26. --clips DIR makes a corpus from your own clips."
    fi
}

includes() { ((stage <= $1 && $1 <= stop_stage)); }

# --- stages -------------------------------------------------------------------------------------------------------
repeated() { # repeated OPTION WORD...: into the array `options`, the option before each word
    local option=$1 word
    shift
    for word in "$@"; do options+=("${option}" "${word}"); done
}

new_corpus() {
    local name options=()
    for name in rooms num_rooms noise interference; do [[ -z ${!name} ]] || options+=("--${name}" "${!name}"); done
    [[ -z ${duration} || ${duration%.*} -lt 15 ]] || options+=(--noise_seconds "${duration}") # else it has more
    run "${cpu_cmd[@]}" s5lib new-corpus "${clips}" --out "${data_root}" "${options[@]}" --seed "${seed}" --nj "${nj}"
}

stage_1() {
    local name options=(--corpus "${corpus}")
    [[ -z ${clips} ]] || new_corpus
    [[ -z ${data_config} ]] || options+=(--config "${data_config}")
    [[ -z ${data_root} ]] || options+=(--data_root "${data_root}")
    for name in duration test_scenes valid_scenes zero_target; do
        [[ -z ${!name} ]] || options+=("--${name}" "${!name}")
    done
    run "${cpu_cmd[@]}" s5lib prepare "${options[@]}" \
        --data_dir "${datadir}" --dump_dir "${dumpdir}" --nj "${nj}" --seed "${seed}"
}

train() { # train tagger|separator|joint_model
    local kind=$1 pair options=()
    local -n component=$1 conf=$1_conf config=$1_config folder=$1_dir
    need "${datadir}/test/wav.scp" 1 "the data directories"
    [[ -z ${component} ]] || options+=("--${kind}" "${component}")
    repeated "--${kind}_conf" "${conf[@]}"
    if [[ ${kind} == tagger ]]; then
        [[ -z ${tagger_cache} ]] || options+=(--tagger_cache "${tagger_cache}")
    elif [[ -n ${aligner} ]]; then
        options+=(--aligner "${aligner}")
    fi
    [[ -z ${num_nodes} ]] || options+=(--num_nodes "${num_nodes}")
    for pair in "${train_conf[@]}"; do options+=("--${pair%%=*}" "${pair#*=}"); done
    repeated --scenes_conf "${scenes_conf[@]}"
    repeated --plugin "${plugin[@]}"
    run "${train_cmd[@]}" s5lib train "${kind}" --config "${config}" --data_dir "${datadir}" \
        --expdir "${folder}" --ngpu "${ngpu}" "${workers[@]}" --seed "${seed}" "${options[@]}"
}

stage_2() {
    if [[ ${system} == joint ]]; then
        skip "the joint model, which stage 3 trains, gives the labels, too"
    elif [[ -n ${tagger_model} ]]; then
        skip "the tagger is ${tagger_model}"
    else
        train tagger
    fi
}

stage_3() {
    if [[ ${system} == joint ]]; then
        train joint_model
    elif [[ -n ${separator_model} ]]; then
        skip "the separator is ${separator_model}"
    else
        train separator
    fi
}

infer_set() { # infer_set OUT DATA_DIR: the system's outputs for a data directory or a folder; labels of the kinds in `kinds`
    local out=$1 data_dir=$2 separator_file=${separator_model:-${separator_dir}/model.safetensors} options=()
    if [[ ${system} == joint ]]; then
        need "${joint_model_dir}/model.safetensors" 3 "a trained joint model"
        options+=(--joint_model "${joint_model_dir}/model.safetensors" --labels predicted)
    else
        if is_among predicted "${kinds[@]}"; then
            find_tagger
            options+=(--tagger "${tagger_file}")
        fi
        need "${separator_file}" 3 "a trained separator" "Or name another one: --separator_model FILE."
        options+=(--separator "${separator_file}" --labels "${kinds[@]}")
    fi
    options+=(--out "${out}" --ngpu "${ngpu}" --nj "${nj}")
    if [[ ${system} == iterative ]]; then options+=(--system iterative --rounds "${rounds:-2}"); fi
    if ${spatial_filter}; then options+=(--spatial_filter); fi
    repeated --plugin "${plugin[@]}"
    run "${cuda_cmd[@]}" s5lib infer --data_dir "${data_dir}" "${options[@]}"
}

stage_4() {
    local kinds=("${labels[@]}")
    ((${#kinds[@]})) || kinds=(predicted oracle)
    need "${datadir}/test/wav.scp" 1 "the test set"
    infer_set "${expdir}/infer${suffix}/test" "${datadir}/test"
}

find_tagger() { # set tagger_file
    local untagged
    untagged=${expdir}/tagger$(joined "${tagger}")/model.safetensors
    tagger_file=${tagger_model:-${tagger_dir}/model.safetensors}
    if [[ -n ${tag} && ! -f ${tagger_file} && -f ${untagged} ]] && ! includes 2; then
        tagger_file=${untagged}
        log "no tagger has the tag ${tag}; using ${tagger_file}"
    fi
    need "${tagger_file}" 2 "a trained tagger" "Or name another one: --tagger_model FILE."
}

stage_5() {
    need "${datadir}/test/wav.scp" 1 "the test set"
    need "${expdir}/infer${suffix}/test" 4 "the system's outputs"
    run "${cpu_cmd[@]}" s5lib score --data_dir "${datadir}/test" --infer_dir "${expdir}/infer${suffix}/test" \
        --out "${expdir}/RESULTS${suffix}.md"
}

stage_6() { # the set that is submitted is the evaluation set; without one, the test set stands in for it
    local kinds=(predicted) data=${datadir}/test out=${expdir}/infer${suffix}/test
    need "${expdir}/RESULTS${suffix}.jsonl" 5 "the scores of the test set"
    if [[ -n ${eval_set} ]]; then
        data=${eval_set} out=${expdir}/infer${suffix}/eval
        infer_set "${out}" "${data}" # as the test set, whose scores are submitted
    else
        need "${out}" 4 "the system's outputs"
    fi
    run "${cpu_cmd[@]}" s5lib package --name "${submission}" --data_dir "${data}" --infer_dir "${out}" \
        --scores "${expdir}/RESULTS${suffix}.jsonl" --out "${expdir}/submission"
}

if includes 1; then
    check_data_root
    [[ -z ${data_config} ]] || check_config data_config
fi
if [[ ${system} == joint ]]; then
    if includes 3; then check_config joint_model_config; fi
else
    if includes 2 && [[ -z ${tagger_model} ]]; then check_config tagger_config; fi
    if includes 3 && [[ -z ${separator_model} ]]; then check_config separator_config; fi
fi
for name in tagger_model separator_model; do
    [[ -z ${!name} || -f ${!name} ]] || die "--${name}: there is no file ${!name}."
done

if ${dry_run}; then
    printf '# in %s, after ". ./path.sh"\n' "$(pwd)"
else
    # shellcheck source=egs/dcase26_s5/path.sh
    . ./path.sh || exit 1
    log "$(quoted "${BASH_SOURCE[1]}" "${arguments[@]}")"
fi
run_stages "${stage}" "${stop_stage}"
