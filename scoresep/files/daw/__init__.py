"""Projects of other programs (DAWs): stems as tracks, the recording's tempo map, markers, the score's notes."""
