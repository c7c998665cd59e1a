"""What rooms show to a person is written here once: names, numbers, times, outcomes.

So the same dispatch reads the same in the panel, the admin, a terminal and a failing test.
Machines read other forms: nothing of JSON, CSV, logs and spans is made here.
"""
