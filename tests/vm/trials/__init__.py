"""What a loan has to stand: each module has one trial, on a loan that lasts."""
