"""What `tagstream demo` is made of: history to load, a shop that is busy, and a view of what comes of it."""
