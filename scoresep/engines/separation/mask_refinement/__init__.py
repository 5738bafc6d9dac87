"""The engine `knowledge`: a small network that learns one recording from its score. Loads no torch by itself."""
