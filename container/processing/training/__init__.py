"""Training: what features.json promises, a split in batches, two boosting libraries behind one interface.

Threads of OpenMP that wait shall sleep: by default they spin, and where a core is shared with anything else, boosting
takes four times as long (measured: 38 s against 9 s for the flights on two busy cores; alike on idle ones). The
libraries read the setting when they are loaded, which is after this.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
