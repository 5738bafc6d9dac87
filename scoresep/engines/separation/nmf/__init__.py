"""The engine `nmf`: score-informed non-negative matrix factorisation."""
