"""Folders of spoken language modelling: which of two recordings is the likelier one.

`pairs` reads folders of two recordings each (sWUGGY, sBLIMP, sStoryCloze, SALMon), `triples` those of a beginning with
a right and a wrong end, each as sound and as text (the cross-modal tStoryCloze and sStoryCloze of slamkit). Files that
fit no pair or triple are reported with their reason; the others go on.
"""
