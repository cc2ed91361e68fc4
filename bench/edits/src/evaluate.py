"""The models side by side: evaluate.py OUT MODEL…"""

import json
import sys
from pathlib import Path

import tables

out, *models = sys.argv[1:]
found = [json.loads(Path(path).read_text()) for path in models]
Path(out).write_text(json.dumps({one["model"]: one["slope"] for one in found}, indent=2))
tables.ran("evaluate")
