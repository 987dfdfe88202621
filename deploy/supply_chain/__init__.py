"""What the image is made of: the pins of a lock, their licences, and a bill of materials.

Everything is read from the locks and from the packages that `make .venv/.dev` installed: nothing
is fetched.
"""
