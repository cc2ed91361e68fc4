"""Events → what a person or a program reads. Unaware of how anything is done."""
