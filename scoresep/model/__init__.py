"""The values that everything speaks about: frozen, checked once when made, made of numpy arrays and plain Python.

Nothing here reads files, keeps threads or knows of engines and windows.
"""
