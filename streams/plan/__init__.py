"""`tagstream plan`: what other rules would change, before anything happens."""
