"""The rule language: text to tree to checked tree to programs."""
