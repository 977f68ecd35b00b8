"""Facts: subject, relation, answer, and one or more phrasings, each a template that ends right before the answer.

`fact` says what a fact is, `loading` reads facts from anywhere, `shipped` names the groups and phrasings of the facts
that the embedded model was taught, `foils` draws false answers, `sounds` holds the sound that a fact may bring, and
`speaking` speaks facts that bring none.
"""
