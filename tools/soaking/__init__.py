"""What `make soak` lets a process do for long, and what it measures of it."""
