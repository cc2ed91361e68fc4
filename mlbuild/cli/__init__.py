"""argv → app → exit status, a file per command. Unaware of how anything is done."""
