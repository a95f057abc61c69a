"""
Run a command and print its peak of resident memory in KiB behind what it printed.

A process of its own and no module of ours: the kernel counts what the parent held at the fork as the child's.
"""

import resource
import subprocess
import sys

code = subprocess.run(sys.argv[1:], check=False).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, flush=True)
sys.exit(code)
