"""Running a failed receiver again from its record: what has to hold, and the run itself.

Nothing is imported, evaluated or called by a name from the table. A name is compared with those
of what is loaded and connected in this process already, and where nothing answers to it, or more
than one thing does, the receiver does not run.
"""
