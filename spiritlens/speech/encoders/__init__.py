"""Speech encoders: sound becomes units, by HuBERT and a quantizer, SpiritLM's own package, or any `SpeechEncoder`."""
