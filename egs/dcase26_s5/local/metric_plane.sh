#!/usr/bin/env bash
# Fig. 5 of the paper: many systems, from taggers and separators that were trained for shorter or longer.
#   local/metric_plane.sh --points 5
# shellcheck disable=SC2034,SC2154  # variables that experiment.sh reads and sets
set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
script_name=metric_plane.sh experiment=plane default_seeds="0"
what="Trains a tagger and a separator, keeps models of both on the way, and combines each with each: accuracy, separation with
oracle labels and CA-PI-SDRi of all systems, a picture, and the rank correlation of CA-PI-SDRi with either axis."
# shellcheck source=egs/dcase26_s5/local/experiment.sh
. local/experiment.sh
set_traps

value_options+=(tagger_config separator_config points)
tagger_config='' separator_config='' points=5
options_help="  --tagger_config FILE     (conf/CORPUS/tagger.yaml)
  --separator_config FILE  (conf/CORPUS/separator.yaml)
  --points N               models of each kind, at equal distances over the training (${points})
"
begin "$@"
check_integer points 3
((${#seeds[@]} == 1)) || usage_error "--seeds is a single one here: one tagger and one separator are trained."
tagger_config=$(config_of tagger) separator_config=$(config_of separator)

training+=(--train_conf "keep_models=${points}")
queue tagger "${expdir}/tagger" --stage 2 --stop_stage 2 --tagger_config "${tagger_config}" --seed "${seeds[0]}"
queue separator "${expdir}/separator" --stage 3 --stop_stage 3 --separator_config "${separator_config}" --seed "${seeds[0]}"
run_queue "1 of tagger ${tagger_config}" "1 of separator ${separator_config}"

kept_by() { # kept_by KIND: into the array `kept`, what the last step of the training has kept
    local trained=${expdir}/$1/$1 step
    for step in "${trained}"/*/; do
        if cmp -s -- "${step}model.safetensors" "${trained}/model.safetensors"; then kept=("${step}"steps/step_*.safetensors); fi
    done
}

name_of() { # name_of FILE: step_0000200 becomes "step 200"
    local name=${1##*/step_}
    printf 'step %d\n' "$((10#${name%.safetensors}))"
}

training=() systems=()
new_queue
if ${dry_run}; then
    printf '# then each tagger with each separator, at %s points of both trainings: run.sh --stage 4 --stop_stage 5\n' "${points}"
    exit 0
fi
kept_by tagger && taggers=("${kept[@]}")
kept_by separator && separators=("${kept[@]}")
for separator in "${separators[@]}"; do
    oracle=${expdir}/oracle/${separator##*/}
    queue "separator of $(name_of "${separator}")" "${oracle}" \
        --stage 4 --stop_stage 5 --labels oracle --separator_model "${separator}"
    for tagger in "${taggers[@]}"; do
        folder=${expdir}/systems/${tagger##*/}/${separator##*/}
        queue "tagger of $(name_of "${tagger}"), separator of $(name_of "${separator}")" "${folder}" \
            --stage 4 --stop_stage 5 --labels predicted --tagger_model "${tagger}" --separator_model "${separator}"
        systems+=(--system "$(name_of "${tagger}")" "$(name_of "${separator}")" "${folder}/RESULTS.jsonl" "${oracle}/RESULTS.jsonl")
    done
done
run_queue
summarise s5lib plane "${systems[@]}" --out "${expdir}/RESULTS.md"
