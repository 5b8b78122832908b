"""What the admin has set: the file, its values, and what plain shell needs of them."""
