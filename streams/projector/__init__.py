"""The projector: `tags.current` into Redis, where apps read a customer's tags.

    Kafka ──► source.py ──► batch.py (decode.py) ──► store.py (*.lua) ──► Redis
                 ▲                                        │
                 └────────── loop.py: where to read ◄─────┘ positions

Redis itself says how far it is (`tagstream:position`): what it holds and where it stands are written by one script, so
they can't come apart, whatever Redis loses. The projector keeps nothing of its own that would matter, and the consumer
group only spreads the partitions. Each script refuses if Redis does not stand where this projector left it; then the
position is read again and reading goes on from there, or, if there is none, the partition is rebuilt whole.

In the background `reconcile.py` compares Redis with the log, and repairs what something else has done to it.
"""
