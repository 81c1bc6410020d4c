#!/usr/bin/env bash
# What starts the commands of the stages.  Empty: they run on this machine.  On a cluster, for example:
#   cpu_cmd=(srun --cpus-per-task=8 --mem=16G)
#   cuda_cmd=(srun --gres=gpu:4 --cpus-per-task=32 --time=2-00:00:00)
# shellcheck disable=SC2034  # read by the script that sources this

cpu_cmd=()  # stages 1 and 5: data, scores
cuda_cmd=() # stages 2 to 4: training, inference
