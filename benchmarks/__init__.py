"""How fast and how late: measurements on a real broker and a real Redis. Start with `python -m benchmarks --help`."""
