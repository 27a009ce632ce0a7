"""What flows: event fields, Avro schemas, typed records, codecs and the error tree. Imports nothing of ours."""
