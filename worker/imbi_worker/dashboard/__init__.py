"""The operations over HTTP: a JSON API under ``/api/v1``, and pages to look at.

``app.build`` makes the ASGI application for a ``Desk``; whoever serves it says where it
listens and whom it knows. Nothing here speaks to Redis but through what operations use.
"""
