"""What `make bench` measures, one module a subject: each has `rows() -> Iterator[Row]` and runs in a process of its own."""
