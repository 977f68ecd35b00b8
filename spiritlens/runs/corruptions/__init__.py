"""How a subject is disturbed: noise, knock-out, replacement by another subject, or a counterfactual prompt."""
