"""Of how many points a network knows whether they lie inside: evaluate.py WEIGHTS POINTS METRICS."""

import json
import sys

import torch
from network import network, read


def main() -> None:
    weights, path, out = sys.argv[1:]
    model = network()
    model.load_state_dict(torch.load(weights, weights_only=True))
    points, inside = read(path).tensors
    with torch.no_grad():
        right = (model(points) > 0) == (inside > 0.5)
    with open(out, "w") as file:
        json.dump({"accuracy": right.double().mean().item()}, file)


if __name__ == "__main__":
    main()
