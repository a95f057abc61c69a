"""
Run a command and print its peak of resident memory in KiB after its output.

A process of its own without modules of ours: the kernel counts the parent's memory at the fork as the child's.
"""

import resource
import subprocess
import sys

code = subprocess.run(sys.argv[1:], check=False).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, flush=True)
sys.exit(code)
