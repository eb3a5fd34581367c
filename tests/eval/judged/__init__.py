"""Cases by writers who had not seen the rules they test: rails, grounding, handoff and lies.

`development` is what rules and thresholds may be mended by; `test` is by another writer and gives
the figures that are reported. A rule mended by what `test` shows needs new cases there.
"""
