"""Train a network on the CPU, so that whenever it is interrupted, what comes out is the same to the last bit.

For that a checkpoint holds all on which the rest of the training depends: the network, the optimiser, the state of the
random numbers (dropout draws from them), and the position in the data: the epoch, and how many of its batches are done.
"""

import csv
import json
import os

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from mlbuild.stage import checkpoint, inputs, leave, metrics, outputs, params, progress, stopping

BATCH = 50
SAVE_EVERY = 5  # batches


def read(path: str) -> TensorDataset:
    with open(path, newline="") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    table = torch.tensor(rows)
    return TensorDataset(table[:, :2], table[:, 2:])


def rest_of_epoch(data: TensorDataset, epoch: int, batch: int) -> DataLoader[tuple[Tensor, ...]]:
    """The batches of an epoch from this one on. The order is the epoch's own, so the position is these two numbers.

    The loader has a generator of its own: else each new one would draw from the random numbers of the training.
    """
    order = torch.Generator().manual_seed(params.seed + epoch)
    left = torch.randperm(len(data), generator=order)[batch * BATCH :]
    return DataLoader(data, batch_size=BATCH, sampler=left.tolist(), generator=order)


def log(epoch: int, batch: int) -> None:
    """What is computed, for whoever asks for it."""
    if path := os.environ.get("BATCHES_LOG"):
        with open(path, "a") as file:
            print(epoch, batch, file=file)


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(params.seed)
    data = read(inputs.points)
    layers = [nn.Linear(2, 64), nn.ReLU(), nn.Dropout(0.05), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)]
    model = nn.Sequential(*layers)
    optimiser = torch.optim.Adam(model.parameters(), lr=params.rate)
    loss_of = nn.BCEWithLogitsLoss()
    epoch = batch = 0

    if start := checkpoint.latest():
        state = torch.load(start, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        epoch, batch = state["position"]
        print(f"goes on from {start.name}")

    def save() -> None:
        state = {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "position": (epoch, batch),
        }
        with checkpoint.save(f"epoch-{epoch:03}-{batch:03}") as path:
            torch.save(state, path)

    batches = -(-len(data) // BATCH)
    while epoch < params.epochs:
        for points, sides in rest_of_epoch(data, epoch, batch):
            optimiser.zero_grad()
            loss = loss_of(model(points), sides)
            loss.backward()
            optimiser.step()
            batch += 1
            log(epoch, batch)
            progress(epoch * batches + batch, params.epochs * batches, loss=loss)
            if stopping():
                save()
                leave()
            if batch % SAVE_EVERY == 0:
                save()
        epoch, batch = epoch + 1, 0
        save()

    model.eval()
    with torch.no_grad():
        points, sides = data.tensors
        guesses = model(points)
        found = {
            "loss": loss_of(guesses, sides).item(),
            "accuracy": ((guesses > 0) == (sides > 0.5)).double().mean().item(),
        }
    with open(metrics, "w") as file:
        json.dump(found, file, indent=2)
    torch.save(model.state_dict(), outputs.weights)


if __name__ == "__main__":
    main()
