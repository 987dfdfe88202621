"""The queue: arq's Redis layout, our engine."""
