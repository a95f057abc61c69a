"""Files of chained lines, to which lines are only ever added."""
