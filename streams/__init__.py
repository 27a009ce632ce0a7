"""Where records come from and go to: Kafka, Redis, settings, the clock, metrics, the command line."""
