"""No subject of its own: errors, files, tables on disk, provenance, child processes, the terminal."""
