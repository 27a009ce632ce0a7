"""The control role: what people and other systems ask of tags becomes commands, each once."""
