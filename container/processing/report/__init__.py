"""report.html: one self-contained page about an evaluation. No script, no other file; light and dark."""
