"""What a data centre starts: images, units, alerts; checked against the program."""
