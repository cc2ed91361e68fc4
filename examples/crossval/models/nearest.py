"""The species of most of the nearest flowers."""

from collections import Counter
from math import dist

from flowers import Classifier, Flower, run

NEIGHBOURS = 5


def learn(flowers: list[Flower]) -> Classifier:
    def classify(lengths: list[float]) -> str:
        near = sorted(flowers, key=lambda flower: dist(flower[0], lengths))[:NEIGHBOURS]
        return Counter(species for _, species in near).most_common(1)[0][0]

    return classify


if __name__ == "__main__":
    run(learn)
