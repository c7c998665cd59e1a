"""A shop as small as the end-to-end tests allow; `make demo` starts the one for people."""
