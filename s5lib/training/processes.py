"""The processes that share a run, and this one's place among them.

Processes are started by this library (Lightning starts the command again for every further device), by torchrun, or by
Slurm's srun; the environment shows which.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch import nn

from s5lib.errors import ConfigError

__all__ = ["Processes", "find_processes", "share_buffers"]


@dataclass(frozen=True)
class Processes:
    """The processes of a run, one per device."""

    per_node: int
    """processes on each machine"""
    num_nodes: int
    """machines"""
    rank: int
    """of this process, 0 to :attr:`world_size` - 1"""
    starter: str
    """``"s5lib"``, ``"torchrun"`` or ``"slurm"``"""

    @property
    def world_size(self) -> int:
        """All processes together."""
        return self.per_node * self.num_nodes

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes the experiment's files."""
        return self.rank == 0

    def environment(self) -> ClusterEnvironment:
        """Return what Lightning asks for ranks and addresses."""
        if self.starter == "torchrun":
            return TorchElasticEnvironment()
        if self.starter == "slurm":
            # A requeued job goes on by the same command; Lightning's own requeueing would save a second state beside.
            return SLURMEnvironment(auto_requeue=False)
        return LightningEnvironment()


def find_processes(
    ngpu: int = 0,
    num_processes: int | None = None,
    num_nodes: int | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Processes:
    """Return the processes of a run from what the user asks for and what has started this process.

    Args:
        ngpu: GPUs per machine; 0 is the CPU.
        num_processes: processes per machine; None is one per GPU, or as torchrun or srun says.
        num_nodes: machines; None is 1, or as torchrun or srun says.
        environ: the environment variables.

    Raises:
        ConfigError: the options contradict each other, torchrun or srun.

    >>> find_processes(num_processes=2, environ={"LOCAL_RANK": "1"})
    Processes(per_node=2, num_nodes=1, rank=1, starter='s5lib')
    >>> torchrun = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    >>> find_processes(ngpu=4, environ=torchrun)
    Processes(per_node=4, num_nodes=2, rank=5, starter='torchrun')
    """
    _check(ngpu, num_processes, num_nodes)
    asked = ngpu or num_processes
    if "TORCHELASTIC_RUN_ID" in environ:
        per_node = int(environ["LOCAL_WORLD_SIZE"])
        nodes = int(environ["WORLD_SIZE"]) // per_node
        _agree("torchrun", asked, num_nodes, per_node, nodes)
        return Processes(per_node, nodes, int(environ["RANK"]), "torchrun")
    if int(environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        tasks, nodes = int(environ["SLURM_STEP_NUM_TASKS"]), int(environ.get("SLURM_STEP_NUM_NODES", 1))
        if "SLURM_NTASKS_PER_NODE" not in environ or tasks % nodes:
            raise ConfigError(
                f"srun started {tasks} tasks on {nodes} machines without --ntasks-per-node; use it instead of "
                "--ntasks, so that every machine has the same number."
            )
        _agree("srun", asked, num_nodes, tasks // nodes, nodes)
        return Processes(tasks // nodes, nodes, int(environ["SLURM_PROCID"]), "slurm")
    per_node, nodes = asked or 1, num_nodes or 1
    if nodes > 1 and not {"MASTER_ADDR", "NODE_RANK"} <= environ.keys():
        raise ConfigError(
            f"--num_nodes {nodes}: the machines cannot find each other. Start the command with torchrun or "
            "srun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK on each machine (see the guide to several devices)."
        )
    node = int(environ.get("NODE_RANK", 0)) if nodes > 1 else 0
    local = int(environ.get("LOCAL_RANK", 0)) if per_node > 1 else 0
    return Processes(per_node, nodes, node * per_node + local, "s5lib")


def _check(ngpu: int, num_processes: int | None, num_nodes: int | None) -> None:
    for name, value, least in (("ngpu", ngpu, 0), ("num_processes", num_processes, 1), ("num_nodes", num_nodes, 1)):
        if value is not None and value < least:
            raise ConfigError(f"--{name} is {value}; expected {least} or more.")
    if ngpu and num_processes not in (None, ngpu):
        raise ConfigError(
            f"--num_processes {num_processes} with --ngpu {ngpu}: there is one process per GPU. Leave --num_processes "
            "out, or give --ngpu 0 for the CPU."
        )


def _agree(starter: str, asked: int | None, asked_nodes: int | None, per_node: int, nodes: int) -> None:
    if asked not in (None, 0, per_node):
        raise ConfigError(
            f"{starter} started {per_node} processes per machine, but {asked} were requested; pass --ngpu {per_node} "
            f"(or --num_processes {per_node} on the CPU), or start {asked}."
        )
    if asked_nodes not in (None, nodes):
        raise ConfigError(f"{starter} works on {nodes} machines, but --num_nodes is {asked_nodes}.")


def share_buffers(model: nn.Module) -> None:
    """Give all processes the main one's buffers, as the running statistics of batch normalisations.

    Each process keeps statistics of its own mixtures; what is validated and saved is one model, the main one's.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, 0)
