"""Do reading and hearing agree? Statistics over facts, and the sentences that they bear. Opens without torch."""
