"""Constants of physics."""

FREEZING = 32.0
BOILING = 212.0
