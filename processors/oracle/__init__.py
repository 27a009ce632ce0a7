"""The slow, obvious second implementation of the engine: what tests and `tagstream verify` judge it by.

It shares with the engine the syntax tree of the rules and what `schemas` says of events, and nothing that is compiled;
import-linter holds that.
"""
