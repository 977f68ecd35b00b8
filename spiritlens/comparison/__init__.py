"""Do writing and speech agree? Statistics over facts, and the sentences that they bear. Opens without torch."""
