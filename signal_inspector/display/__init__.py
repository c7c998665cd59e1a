"""The words and figures that all rooms show to people: names, numbers, times and outcomes.

They are made in one place so that the same dispatch reads the same in the panel, the admin, a
terminal and a failing test. Formats for machines (JSON, CSV, logs and spans) are made elsewhere.
"""
