"""A small project that the tests run in real servers and workers."""
