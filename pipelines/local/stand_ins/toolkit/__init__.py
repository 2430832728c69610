"""Modules that scripts for AWS's images import, and their packages do not have from the package index.

Each is copied into stand-ins under the names that the images have it by (`table.py`). They hold what scripts use of the
toolkits (reading and writing rows, responses), written from their documented behaviour.
"""
