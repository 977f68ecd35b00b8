"""Recognition: what a recogniser hears in a recording, and how that differs from what was said.

`heard` says what a recogniser is and gives, `whisper` is one, `cached` remembers its answers; `spoken_form` is the rule
by which two texts are the same words, `word_errors` counts the words that differ, in all or in a part.
"""
