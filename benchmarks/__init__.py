"""
Measures of speed and memory against yardsticks and peers: ``python -m benchmarks``.

A development tool beside the package, never installed with it. The rule: a time counts only after the timed answer was
found right, and only as a ratio to something measured in the same round on the same machine.
"""
