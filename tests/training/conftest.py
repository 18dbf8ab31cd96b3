"""Makes `own_data`, which several tests share, importable beside them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
