"""What is played in the laboratory: one module a scenario."""
