"""The guide's way beside ours, on the same clips, model and machine: `python -m benchmarks`."""
