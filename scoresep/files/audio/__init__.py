"""What lies below `audio_files`: headers, decoders and the cache of decoded sound."""
