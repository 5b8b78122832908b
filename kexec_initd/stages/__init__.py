"""What happens at each moment of a machine's life: at the end of its boot, early in a shutdown, in the last step."""
