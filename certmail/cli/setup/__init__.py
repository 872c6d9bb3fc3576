"""The guided set-up: one module for each step, and what they share.

A step looks at what is set, asks for what is not, and writes each answer into the settings file
before the next question. So there is no state but that file: whoever stops goes on where they were.
"""
