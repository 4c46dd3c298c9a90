"""What is asked: the scenario vocabulary and one module of scenarios per theme."""
