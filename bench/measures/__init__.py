"""What is measured, one function for each kind of figure; every one begins with an empty Redis."""
