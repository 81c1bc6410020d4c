#!/usr/bin/env bash
# Table 1 of the paper: the tagger with one channel and with four.
#   local/tagger_table.sh --separator_model exp/mini/separator/model.safetensors
# shellcheck disable=SC2034,SC2154  # variables that experiment.sh reads and sets
set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
script_name=tagger_table.sh experiment=taggers default_seeds="0"
what="Trains the tagger on the first channel and on all four, and compares their accuracies and the CA-PI-SDRi of the system
that each makes with one and the same separator."
# shellcheck source=egs/dcase26_s5/local/experiment.sh
. local/experiment.sh
set_traps

value_options+=(tagger_config separator_model)
list_options+=(channels)
tagger_config='' separator_model='' channels=()
options_help="  --tagger_config FILE     (conf/CORPUS/tagger.yaml)
  --separator_model FILE   a trained separator (exp/CORPUS/separator/model.safetensors)
  --channels N ...         how many channels the tagger listens to (1 4)
"
begin "$@"
tagger_config=$(config_of tagger)
find_model separator
((${#channels[@]})) || channels=(1 4)
for count in "${channels[@]}"; do check_integer count 1; done

runs=()
for seed in "${seeds[@]}"; do
    for count in "${channels[@]}"; do
        folder=${expdir}/channels${count}/seed${seed} name="${count} channels"
        ((count > 1)) || name="1 channel"
        queue "${name}, seed ${seed}" "${folder}" --stage 2 --stop_stage 5 --labels predicted --seed "${seed}" \
            --tagger_config "${tagger_config}" --tagger_conf "input_channels=${count}" --separator_model "${separator_model}"
        runs+=("${name}=${folder}/RESULTS.jsonl")
    done
done
run_queue "${#runs[@]} of tagger ${tagger_config}"
summarise s5lib tabulate "${runs[@]}" --figures source_accuracy mixture_accuracy ca_pi_sdri --out "${expdir}/RESULTS.md" \
    --title "Taggers, ${corpus}" --note "Seeds: ${seeds[*]}; of several, mean ± standard deviation. One separator for all."
