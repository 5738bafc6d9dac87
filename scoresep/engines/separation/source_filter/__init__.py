"""The engine `source-filter`: every note is a series of partials whose pitch is followed through the mixture.

Pitch is found first, for all parts together, in the mixture itself (`pitch`); the loudness of every partial is then
that of the note times the sound of its part (`fitting`), and masks divide the recording (`masks`).
"""
