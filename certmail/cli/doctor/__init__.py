"""The looks of ``certmail doctor``: one module for each subject.

A look asks an edge, and says what it saw in one line, with the command that mends it. It changes
nothing, and never stops the others.
"""
