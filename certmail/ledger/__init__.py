"""What was handed over and what came of it: a log of public facts in which an edit shows."""
