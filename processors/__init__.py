"""What is done: pure functions over arrays. No I/O, no clock, no threads; time is an argument."""
