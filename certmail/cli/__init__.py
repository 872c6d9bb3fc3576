"""The command line: reads arguments and the clock, calls the walk, draws the result."""
