#!/usr/bin/env bash
# The systems that the paper compares with or points to, beside its own.
#   local/compare_systems.sh --tagger_model exp/mini/tagger/model.safetensors --separator_model exp/mini/separator/model.safetensors
# shellcheck disable=SC2034,SC2154  # variables that experiment.sh reads and sets
set -Eeuo pipefail
called_from=${PWD}
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
script_name=compare_systems.sh experiment=systems default_seeds="0"
what="Scores four systems: m2d and resunetk, asked once; the same, refining each other; m2d and resunet, asked for one label at a
time; a joint model, trained with permutation-invariant loss."
# shellcheck source=egs/dcase26_s5/local/experiment.sh
. local/experiment.sh
set_traps

value_options+=(tagger_model separator_model resunet_config joint_model_config)
tagger_model='' separator_model='' resunet_config='' joint_model_config=''
options_help="  --tagger_model FILE      a trained tagger (exp/CORPUS/tagger/model.safetensors)
  --separator_model FILE   a trained separator (exp/CORPUS/separator/model.safetensors)
  --resunet_config FILE    the separator that is asked for one label at a time (conf/CORPUS/resunet.yaml)
  --joint_model_config FILE (conf/CORPUS/joint_model.yaml)
"
begin "$@"
resunet_config=$(config_of resunet) joint_model_config=$(config_of joint_model)
find_model tagger
find_model separator

runs=()
for seed in "${seeds[@]}"; do
    queue "once, seed ${seed}" "${expdir}/once/seed${seed}" --stage 4 --stop_stage 5 \
        --tagger_model "${tagger_model}" --separator_model "${separator_model}"
    queue "refined, seed ${seed}" "${expdir}/refined/seed${seed}" --stage 4 --stop_stage 5 --system iterative \
        --tagger_model "${tagger_model}" --separator_model "${separator_model}"
    queue "one label at a time, seed ${seed}" "${expdir}/single/seed${seed}" --stage 3 --stop_stage 5 --seed "${seed}" \
        --tagger_model "${tagger_model}" --separator_config "${resunet_config}" --separator resunet
    queue "joint, seed ${seed}" "${expdir}/joint/seed${seed}" --stage 3 --stop_stage 5 --seed "${seed}" \
        --system joint --joint_model_config "${joint_model_config}"
    runs+=(
        "m2d + resunetk=${expdir}/once/seed${seed}/RESULTS.jsonl"
        "m2d + resunetk, refined=${expdir}/refined/seed${seed}/RESULTS_iterative.jsonl"
        "m2d + resunet, one label at a time=${expdir}/single/seed${seed}/RESULTS_resunet.jsonl"
        "joint model=${expdir}/joint/seed${seed}/RESULTS_joint.jsonl"
    )
done
run_queue "${#seeds[@]} of separator ${resunet_config}" "${#seeds[@]} of joint_model ${joint_model_config}"
summarise s5lib tabulate "${runs[@]}" --out "${expdir}/RESULTS.md" --title "Systems, ${corpus}"
