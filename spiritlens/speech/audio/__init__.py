"""Sound: files of every container read to their end, arrays, resampling, and the waveform that all become."""
