"""The species that is most likely if each length is normally distributed by itself."""

from statistics import NormalDist

from flowers import Classifier, Flower, by_species, run


def learn(flowers: list[Flower]) -> Classifier:
    lengths_of = by_species(flowers)
    shapes = {
        species: [NormalDist.from_samples(column) for column in zip(*members, strict=True)]
        for species, members in lengths_of.items()
    }

    def likelihood(species: str, lengths: list[float]) -> float:
        product = len(lengths_of[species]) / len(flowers)
        for shape, length in zip(shapes[species], lengths, strict=True):
            product *= shape.pdf(length)
        return product

    return lambda lengths: max(shapes, key=lambda species: likelihood(species, lengths))


if __name__ == "__main__":
    run(learn)
