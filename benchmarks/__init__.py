"""What a run costs, as ratios; nothing here is asserted in a test."""
