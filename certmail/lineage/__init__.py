"""Where programs keep keys and certificates: reads their folders, files and documents, no more."""
