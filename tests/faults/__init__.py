"""The faults that a reboot may meet: what is to come of each, what shows it, and what came of it when the tests ran."""
