"""The cases, one module each: it states a `CASE` and holds one builder per peer; `catalogue.py` lists the modules.

Nothing is imported here: a worker process starts with the one case that it is told.
"""
