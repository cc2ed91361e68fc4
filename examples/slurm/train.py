"""Train a network on all nodes of a job. `torchrun` starts this on each, and says by variables which of them it is.

Each process learns from its own part of every batch, and before each step all of them average what they found: so they
hold the same network at any time, one saves it for all, and all go on from that.
"""

import os

import torch
import torch.distributed as together
from network import network, read
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from mlbuild.stage import checkpoint, inputs, leave, outputs, params, progress, stopping

BATCH = 50  # over all processes


def all_stop() -> bool:
    """Whether one of them was told to: those that went on would wait for it in vain."""
    told = torch.tensor(int(stopping()))
    together.all_reduce(told, together.ReduceOp.MAX)
    return bool(told)


def main() -> None:
    together.init_process_group("gloo")
    rank, processes = together.get_rank(), together.get_world_size()
    torch.set_num_threads(1)
    torch.manual_seed(params.seed)
    model = DistributedDataParallel(network())
    optimiser = torch.optim.Adam(model.parameters(), lr=params.rate)
    epoch = 0

    if start := checkpoint.latest():
        state = torch.load(start, weights_only=True)
        model.module.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        epoch = state["epoch"]
    node = os.environ.get("SLURMD_NODENAME", "no node")
    print(f"process {rank} of {processes} on {node}: from epoch {epoch}", flush=True)

    data = read(inputs)
    share = DistributedSampler(data, seed=params.seed)
    loss_of = nn.BCEWithLogitsLoss()
    while epoch < params.epochs:
        share.set_epoch(epoch)  # the order is the epoch's own, so there is no other state of random numbers
        for points, inside in DataLoader(data, BATCH // processes, sampler=share):
            optimiser.zero_grad()
            loss = loss_of(model(points), inside)
            loss.backward()
            optimiser.step()
        epoch += 1
        if rank == 0:
            state = {"model": model.module.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch}
            with checkpoint.save(f"epoch-{epoch:03}") as path:
                torch.save(state, path)
            progress(epoch, params.epochs, loss=loss)
        if all_stop():
            leave()

    if rank == 0:
        torch.save(model.module.state_dict(), outputs.weights)
    together.destroy_process_group()


if __name__ == "__main__":
    main()
