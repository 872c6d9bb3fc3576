"""From parts to a bundle in the one canonical form: reads, arranges, completes, writes, proves."""
