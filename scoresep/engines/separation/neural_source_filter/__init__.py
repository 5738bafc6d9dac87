"""The engine `source-network`: a network, trained on this recording alone, that hears how every voice is produced.

Pitch is found as in the engine `source-filter`. An encoder listens to the mixture, and a decoder, one for all parts,
gives for every note and moment a source (partials, roll-off), a filter (all-pole) and noise; what they add up to is
held against the mixture.
"""
