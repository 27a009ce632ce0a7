"""The tagger: events in, tag changes out, Kafka to Kafka, exactly once; the only writer of tags."""
