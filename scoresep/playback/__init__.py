"""Playing: what is heard, computed block by block, and the sound device it goes to.

    mixing    which gain every stem has, and the sum of them (pure)
    reading   one read cursor for all stems: loops, jumps and exchanges without clicks (pure)
    ring      what stands between the reader thread and the audio callback
    outputs   sound devices, and one that only keeps time
    player    the reader thread that joins them

It gets samples and values, never a path or a project, and draws nothing.
"""
