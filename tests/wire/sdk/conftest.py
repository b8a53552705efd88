"""Makes the modules beside the tests importable."""

from __future__ import annotations

import sys
from pathlib import Path

# The tests share `wire.sdk.environments`.
sys.path.insert(0, str(Path(__file__).parents[2]))
