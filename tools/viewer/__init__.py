"""Tools for the viewer: made-up traffic, its bench, its fuzzer, its pictures."""
