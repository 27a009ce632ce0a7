"""Why a customer has a tag or has it not: their part of a partition, read anew from the topics."""
