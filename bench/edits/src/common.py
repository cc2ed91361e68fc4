"""What several stages share."""

import units


def celsius(fahrenheit):
    """From degrees Fahrenheit."""
    return round((fahrenheit - units.FREEZING) / 1.8, 4)


def fit(points, penalty):
    """Slope of the line through the origin, by least squares."""
    return sum(x * y for x, y in points) / (sum(x * x for x, _ in points) + penalty)


def summary(values):
    """Nobody needs it yet."""
    return min(values), max(values)
