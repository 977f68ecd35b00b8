"""What changes if: one thing of a study at a time is made in another way; its maps stand beside the baseline's."""
