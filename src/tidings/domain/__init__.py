"""The rules, pure: no I/O, no clock, no dice, no async. Time and entropy are arguments."""
