"""The record of a dispatch, and how it is made."""
