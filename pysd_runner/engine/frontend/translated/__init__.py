"""Model files as the translators of PySD read them: what PySD runs, and a second opinion on what a file says."""
