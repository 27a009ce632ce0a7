"""Checks what is published against the sources: the oracle computes it anew, partition by partition."""
