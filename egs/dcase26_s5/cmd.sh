#!/usr/bin/env bash
# What starts the commands of the stages.  Read after the options: ngpu, num_nodes and nj are known here.
#
#   local    they run on this machine; training on several GPUs starts a process per GPU by itself
#   slurm    each command is a step of Slurm: of the allocation in which run.sh runs, or a job of its own where there is
#            none.  Give --ngpu and --num_nodes, since the machine on which run.sh stands may have no GPU.
#
# Anything else that starts a command, as `nice` or `ssh`, can stand in the three arrays as well.
# shellcheck disable=SC2034,SC2154  # read by the script that sources this, whose options these are

cmd_backend=local
slurm_options=()      # for all stages, as (--partition=gpu --account=my_project --time=2-00:00:00)
slurm_cpus_per_task=8 # cores of each training process: one, and those that mix scenes for it (num_workers)

case ${cmd_backend} in
    local)
        cpu_cmd=()   # stages 1 and 5: data, scores
        cuda_cmd=()  # stage 4: inference
        train_cmd=() # stages 2 and 3: training
        ;;
    slurm)
        gpus=()
        if ((ngpu > 0)); then gpus=(--gres="gpu:${ngpu}"); fi
        cpu_cmd=(srun "${slurm_options[@]}" --nodes=1 --ntasks=1 --cpus-per-task="${nj}")
        cuda_cmd=("${cpu_cmd[@]}" "${gpus[@]}")
        # One task per GPU.  All end when one fails, instead of waiting for it; two minutes before the time is up they get
        # SIGTERM, save their state and end, and the same run.sh goes on from there.
        train_cmd=(srun "${slurm_options[@]}" --nodes="${num_nodes:-1}" --ntasks-per-node="$((ngpu > 0 ? ngpu : 1))"
            "${gpus[@]}" --cpus-per-task="${slurm_cpus_per_task}" --kill-on-bad-exit=1 --signal=TERM@120)
        ;;
    *) die "cmd.sh: cmd_backend is local or slurm, not '${cmd_backend}'." ;;
esac
