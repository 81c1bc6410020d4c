#!/usr/bin/env bash
# Fig. 4 of the paper: the separator trained with three losses that differ in the aligner alone.
#   local/ablate_losses.sh                               on mini, three seeds
#   local/ablate_losses.sh --corpus dcase26 --seeds 0    at full size
# shellcheck disable=SC2034,SC2154  # variables that experiment.sh reads and sets
set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
script_name=ablate_losses.sh experiment=losses default_seeds="0 1 2"
what="Trains the separator with the losses ca_pi, ca and pi, same data and steps, and compares them by PI-SDRi with oracle labels."
# shellcheck source=egs/dcase26_s5/local/experiment.sh
. local/experiment.sh
set_traps

value_options+=(separator_config)
list_options+=(aligners separator_conf)
separator_config='' aligners=()
options_help="  --separator_config FILE  (conf/CORPUS/separator.yaml)
  --separator_conf K=V ... options of the separator, in place of the configuration's: slot_order=given
  --aligners NAME ...      losses to compare (ca_pi ca pi)
"
begin "$@"
separator_config=$(config_of separator)
((${#aligners[@]})) || aligners=(ca_pi ca pi)

own=(--separator_config "${separator_config}")
if ((${#separator_conf[@]})); then own+=(--separator_conf "${separator_conf[@]}"); fi
runs=()
for seed in "${seeds[@]}"; do
    for aligner in "${aligners[@]}"; do
        folder=${expdir}/${aligner}/seed${seed}
        queue "${aligner}, seed ${seed}" "${folder}" --stage 3 --stop_stage 5 --labels oracle \
            "${own[@]}" --aligner "${aligner}" --seed "${seed}"
        runs+=("${aligner}=${folder}/RESULTS_${aligner}.jsonl")
    done
done
run_queue "${#runs[@]} of separator ${separator_config}"
summarise s5lib tabulate "${runs[@]}" --figures pi_sdri oracle_ca_pi_sdri --out "${expdir}/RESULTS.md" --title "Three losses, ${corpus}" \
    --note "Seeds: ${seeds[*]}; of several, mean ± standard deviation, and differences seed by seed."
