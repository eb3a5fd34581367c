"""Cases by a writer who had not seen the rules they test: rails, handoff and grounding."""
