"""One module for each role of the program: what it starts, and in which order it stops."""
