"""Kafka and Redis as child processes of the demo and the tests."""
