"""The network and the points: what training and evaluation share."""

import csv

import torch
from torch import nn
from torch.utils.data import TensorDataset


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))


def read(path: str) -> TensorDataset:
    with open(path, newline="") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    table = torch.tensor(rows)
    return TensorDataset(table[:, :2], table[:, 2])
