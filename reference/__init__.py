"""What BatchNorm is: clauses, conventions, mathematics, error bounds and the oracle."""
