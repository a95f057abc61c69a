"""What jobs need of this process: threads that step back, and whether people are served."""
